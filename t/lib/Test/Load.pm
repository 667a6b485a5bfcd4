package Test::Load;

# Two loads, of any size, for t/load/run.pl (figures) and t/e2e/load.t (that nothing goes wrong):
#
#   users()   many citizens discover and link at once
#   visits()  the HMIS's feed has many new visits while the gateway is away for an hour
#
# Each gives {figures => [[name, value, unit]...], faults => [what is not as it must be...]}, and says
# what it does to `say`. Times are those of this machine, on which the simulator and the demo HMIS run too.

use strict;
use warnings;
use feature 'signatures';

use Carp qw(croak);
use List::Util qw(max sum);
use Mojo::UserAgent;
use POSIX qw(sysconf _SC_CLK_TCK);
use Test::ABDM;
use Time::HiRes qw(sleep time);

my $SLOW   = 300;         # ms that the HMIS takes for a call
my $LIMIT  = 10_000;      # ms for the answer to a discovery
my $MINUTE = 60_000;
my $DAY    = 86_400;      # s
my @MAIN   = ('worker_rlimit_nofile 8192;');

# ---- citizens -----------------------------------------------------------------------------------

# Options: n, at_once (all), workers, say.
sub users (%option) {
    my ($n, $say) = ($option{n}, $option{say} // sub { });
    my $t = Test::ABDM->new(sms => 1, log_level => 'warn', main => \@MAIN, workers => $option{workers} // 2,
        lines => ['poll off;', 'deep_link off;']);
    my $self = _begin($t);
    $t->storm(kind => 'link', n => 5, concurrency => 5, first => 90_000);    # sessions, keys, connections
    $t->hmis('/_test/fault', { path => '^/', action => 'slow', ms => $SLOW });
    $say->("$n citizens discover and link");
    my ($all, @cpu) = (_machine(), _cpu($t));
    my $storm = $t->storm(kind => 'link', n => $n, concurrency => $option{at_once} // $n, timeout_s => 120);
    $all = _machine() - $all;
    @cpu = _spent($t, @cpu);

    $self->figure(n => $n, '');
    $self->storm_figures($storm, $n);
    $self->cpu_figures($n, $storm->{seconds}, @cpu);
    $self->figure(others_share => max(0, $all - sum(@cpu)) / $storm->{seconds}, 'cores');    # near 0, or it says little
    $self->figure(worker_memory => max(map { _memory($_) } $t->workers), 'MB');
    $say->('their links are looked at');
    for my $i (0 .. $n - 1) {
        my $number = sprintf '%05d', $i;
        $self->expect("links of c$number", [map { "OPD-S-$number-$_ of UH2$number" } 1 .. 3], _links($t, "c$number\@sbx"));
    }
    return $self->end;
}

# ---- visits -------------------------------------------------------------------------------------

# Options: n, discoveries (meanwhile), workers, say, step (ms that the clock moves at once).
sub visits (%option) {
    my ($n, $say) = ($option{n}, $option{say} // sub { });
    my $t = Test::ABDM->new(clock => 1, sms => 1, log_level => 'crit', main => \@MAIN, workers => $option{workers} // 2,
        lines => ['poll 60s;']);
    my $self = _begin($t);
    my $go   = {
        self => $self, t => $t, n => $n, say => $say, step => $option{step} // 5 * $MINUTE, discoveries => $option{discoveries} // 20,
        sum  => [0, 0, 0], pids => {},
    };
    $go->{others} = $t->storm(kind => 'link', n => 5, concurrency => 5, first => 90_000)->{links};    # there is a session then
    $self->figure(n => $n, '');
    $t->sim('/config', { skew_seconds => 300 + $go->{step} / 1000 });    # what is under way when the clock moves
    _outage($go);
    _return($go);
    _after($go);
    return $self->end;
}

# An hour in which the gateway says 503, then nothing.
sub _outage ($go) {
    my ($self, $t, $n) = @$go{qw(self t n)};
    $t->sim('/outage', { kind => '503' });
    $t->hmis('/_test/visits', { n => $n, first => 0, abha => \1 });
    _count($go);
    $go->{say}->("$n visits while the gateway is away");
    my $start = time;
    $t->advance($MINUTE + 1000);    # the feed is read
    my $read = $t->wait_until(sub { _waiting($t) >= $n }, 300, 0.2) or $self->fault('the feed was not read to its end');
    $self->figure(feed_read => time - $start, 's');
    my $seen = 0;
    for my $kind ('503', 'refuse') {
        $seen += $t->sim('/outage', { kind => $kind })->{seen};
        for (1 .. 30 * $MINUTE / $go->{step}) { _step($go) }
    }
    $seen += $t->sim('/outage', { kind => 'refuse' })->{seen};
    $self->figure(hour => time - $start, 's');
    $self->figure(calls_in_vain => $seen, '');
    $self->figure(outage_worker_cpu => _count($go)->[0], 's');
    return;
}

# It is back. Meanwhile nginx is reloaded, its workers are killed, and citizens discover.
sub _return ($go) {
    my ($self, $t, $n) = @$go{qw(self t n)};
    $go->{say}->('the gateway is back');
    $t->sim('/outage', { kind => 'off' });
    my ($start, $clock, @before) = (time, $t->now, @{ $go->{sum} });
    my @then = ([$n / 5, \&_reload], [$n / 3, \&_kill]);
    while ((my $linked = _linked($go)) < $n && $t->now < $clock + $DAY) {
        if (@then && $linked >= $then[0][0]) { (shift @then)->[1]->($go, $linked) }
        $t->advance(@then ? $MINUTE / 4 : $go->{step});    # few at a time, so that there are some left then
        _settle($t);
    }
    my $seconds = time - $start;
    $self->fault('the visits were linked before nginx was reloaded and its workers were killed') if @then;
    _count($go);
    my @spent = map { $go->{sum}[$_] - $before[$_] } 0 .. 2;
    $self->figure(all_linked => $seconds, 's');
    $self->figure(links => $n / $seconds, '1/s');
    $self->figure(all_linked_clock => ($t->now - $clock) / 60, 'min');
    $self->cpu_figures($n, $seconds, @spent);
    return;
}

# Visits that are linked: all links but those of citizens who discovered.
sub _linked ($go) { return $go->{t}->sim('/links')->{links} - $go->{others} }

# While links are under way.
sub _reload ($go, $linked) {
    my $t   = $go->{t};
    my @old = $t->workers;
    $go->{say}->("$linked links: reload");
    _count($go);
    _make_due($go, $linked, $MINUTE / 4);
    $t->reload;
    return _wait_gone($t, @old);
}

# Likewise; then citizens discover while the rest is due.
sub _kill ($go, $linked) {
    my $t   = $go->{t};
    my @old = $t->workers;
    $go->{say}->("$linked links: kill -9, citizens discover");
    $t->sim('/config', { may_forget => 1 });    # from now on the workers may not know what they sent
    $t->hmis('/_test/fault', { path => '^/api/patients', action => 'slow', ms => $SLOW });
    _count($go);
    _make_due($go, $linked, 10 * $MINUTE);
    kill 'STOP', @old;    # while one counts what they have in hand
    my $jobs = _sql($t, 'SELECT count(*) FROM job WHERE owner IS NOT NULL');
    kill 'KILL', @old;
    $go->{self}->figure(killed_with => $jobs, 'jobs');
    $go->{self}->fault('nothing was under way when the workers were killed') if !$jobs;
    _wait_gone($t, @old);
    my $before = _taken($t);
    $go->{storm} = $t->storm(kind => 'link', n => $go->{discoveries}, concurrency => 10, first => 50_000, timeout_s => 60);
    $go->{others} += $go->{storm}{links};
    $go->{self}->figure(requests_meanwhile => _taken($t) - $before - $go->{storm}{links}, '');
    return;
}

# The links of so many milliseconds are due at once, and the first of them is made.
sub _make_due ($go, $linked, $ms) {
    $go->{t}->advance($ms);
    return $go->{t}->wait_until(sub { _linked($go) > $linked }, 5);
}

# Until these workers are gone and others are there.
sub _wait_gone ($t, @old) {
    return $t->wait_until(sub {
        my %now = map { $_ => 1 } $t->workers;
        return %now && !grep { $now{$_} } @old;
    }, 60);
}

# Tokens and links that the gateway was asked for.
sub _taken ($t) { return $t->sim('/tokens')->{count} + $t->sim('/links')->{links} }

# Another two days: nothing may come again.
sub _after ($go) {
    my ($self, $t, $n) = @$go{qw(self t n)};
    $self->storm_figures($go->{storm}, $go->{discoveries}) if $go->{storm};
    $go->{say}->('two days pass');
    for my $hours (1, 1, 6, 16, 24) {
        $t->advance($hours * 60 * $MINUTE);
        _settle($t);
    }
    my $links = $t->sim('/links');
    $self->expect('links, repeated, wrong', [$n + $go->{others}, 0, 0], [@$links{qw(links repeated wrong)}]);
    for my $i (0 .. $n - 1) {
        my $number = sprintf '%05d', $i;
        $self->expect("links of c$number", [sprintf "OPD-T-%06d of UH2$number", $i + 1], _links($t, "c$number\@sbx"));
    }
    my %asked;
    $asked{ $_->{address} }++ for @{ $t->sim('/tokens')->{tokens} };
    $self->figure(tokens_asked_most => max(values %asked), '');
    my %told;
    $told{$_}++ for map { @{ $_->{ids}{careContexts} // [] } } grep { $_->{what} eq 'linked' } @{ $t->hmis('/_test/events')->{events} };
    $self->expect('visits of which the HMIS was told', $n, scalar grep { /\AOPD-T-/ } keys %told);
    $self->figure(store => (-s $t->dir . '/abdm.db') / 1e6, 'MB');
    $self->figure(worker_memory => max(map { _memory($_) } $t->workers), 'MB');
    return;
}

# The clock moves, and what is due then is done.
sub _step ($go) {
    $go->{t}->advance($go->{step});
    _settle($go->{t});
    return;
}

# Waits until the worker has nothing to do at this moment.
sub _settle ($t) {
    my $calm = 0;
    $t->wait_until(sub { $calm = _busy($t) ? 0 : $calm + 1; $calm >= 2 }, 120, 0.1) or croak 'the worker does not come to rest';
    return;
}

sub _busy ($t) { return 0 + _sql($t, 'SELECT count(*) FROM job WHERE due_at <= ' . int(1000 * $t->now) . ' OR owner IS NOT NULL') }

sub _waiting ($t) { return 0 + _sql($t, 'SELECT count(*) FROM context') }

sub _sql ($t, $query) {
    open my $pipe, '-|', 'sqlite3', '-readonly', '-cmd', '.timeout 5000', $t->dir . '/abdm.db', $query or croak "sqlite3: $!";
    chomp(my $value = <$pipe> // '');
    close $pipe or croak "sqlite3: $query";
    return $value;
}

# ---- what is measured ---------------------------------------------------------------------------

sub _begin ($t) {
    $t->start;
    $t->sim('/config', { cheap_keys => 1, keep_calls => 1000 });
    return bless { t => $t, figures => [], faults => [] }, __PACKAGE__;
}

sub figure ($self, $name, $value, $unit) { push @{ $self->{figures} }, [$name, $value, $unit]; return }

sub fault ($self, $text) { push @{ $self->{faults} }, $text; return }

sub expect ($self, $name, $want, $got) {
    my ($wanted, $found) = map { ref ? join ', ', @$_ : $_ } $want, $got;
    $self->fault("$name: $found, and not $wanted") if $wanted ne $found;
    return;
}

sub storm_figures ($self, $storm, $n) {
    my $ms = $storm->{ms};
    $self->figure(seconds => $storm->{seconds}, 's');
    for my $step (qw(on_discover init confirm total)) {
        $self->figure("${step}_$_", $ms->{$step}{$_}, 'ms') for qw(p50 p95 p99 p100);
    }
    $self->expect('citizens who linked', $n, $storm->{outcome}{LINKED} // 0);
    $self->fault("$_: $storm->{outcome}{$_}") for grep { $_ ne 'LINKED' } sort keys %{ $storm->{outcome} };
    $self->expect('links of the wrong patient', 0, $storm->{wrong});
    $self->fault("an answer to a discovery came after $ms->{on_discover}{p100} ms") if ($ms->{on_discover}{p100} // 0) > $LIMIT;
    return;
}

sub cpu_figures ($self, $n, $seconds, @cpu) {
    for my $part (qw(worker simulator demo_hmis)) {
        my $cpu = shift @cpu;
        $self->figure("${part}_cpu", 1000 * $cpu / $n, 'ms');
        $self->figure("${part}_share", $cpu / $seconds, 'cores');
    }
    return;
}

sub end ($self) {
    my $t    = $self->{t};
    my $seen = $t->sim('/violations');
    my %rule;
    $rule{ $_->{rule} }++ for @{ $seen->{violations} };
    $self->fault("violation $_: $rule{$_} times") for sort keys %rule;
    $self->figure(violations => $seen->{count}, '');
    $t->stop;
    my @alerts = grep { /\[(?:alert|emerg)\]/ } split /\n/, $t->error_log;
    @alerts = grep { !/exited on signal 9/ } @alerts;
    $self->fault($_) for @alerts;
    return { figures => $self->{figures}, faults => $self->{faults} };
}

# Processor seconds of the workers, the simulator and the HMIS.
sub _cpu ($t) {
    return (sum(map { _cpu_of($_) } $t->workers), map { _cpu_of($t->{pids}{$_}) } qw(sim hmis));
}

sub _spent ($t, @before) { return map { $_ - shift @before } _cpu($t) }

# The same where workers come and go: adds to the sums what was spent since the last time.
sub _count ($go) {
    my %now = map { $_ => _cpu_of($_) } $go->{t}->workers;
    my ($sum, $pids) = @$go{qw(sum pids)};
    $sum->[0] += $now{$_} - ($pids->{$_} // 0) for keys %now;
    @$sum[1, 2] = map { _cpu_of($go->{t}{pids}{$_}) } qw(sim hmis);
    $go->{pids} = \%now;
    return $sum;
}

sub _cpu_of ($pid) {
    open my $file, '<', "/proc/$pid/stat" or return 0;
    my $line = <$file> // '';
    close $file or return 0;
    my @field = split ' ', substr $line, rindex($line, ')') + 2;
    return ($field[11] + $field[12]) / sysconf(_SC_CLK_TCK);
}

# Processor seconds of all that runs on this machine.
sub _machine () {
    open my $file, '<', '/proc/stat' or return 0;
    my ($name, $user, $nice, $system, $idle, $io, @interrupts) = split ' ', <$file> // '';
    close $file or return 0;
    return sum($user, $nice, $system, @interrupts[0 .. 2]) / sysconf(_SC_CLK_TCK);
}

sub _memory ($pid) {
    open my $file, '<', "/proc/$pid/status" or return 0;
    my ($kb) = map { /\AVmHWM:\s+(\d+) kB/ ? $1 : () } <$file>;
    close $file or return 0;
    return ($kb // 0) / 1024;
}

sub _links ($t, $address) {
    return [sort map { "$_->{context} of $_->{patient_reference}" . ($_->{times} > 1 ? " $_->{times} times" : '') }
            @{ $t->sim("/citizens/$address/links")->{links} }];
}

# Figures as tab-separated lines on stdout, what is wrong on stderr; gives the exit status.
sub report ($load, $run) {
    for my $figure (@{ $run->{figures} }) {
        my ($name, $value, $unit) = @$figure;
        printf "%s_%s\t%s\t%s\n", $load, $name, defined $value ? sprintf($value == int $value ? '%d' : '%.2f', $value) : '-', $unit;
    }
    my @faults = @{ $run->{faults} };
    printf {*STDERR} "load: WRONG: %s\n", $_ for @faults > 20 ? (@faults[0 .. 19], @faults - 20 . ' more') : @faults;
    return @faults ? 1 : 0;
}

1;
