package Certify::Scene;

# Where a demonstration happens: nginx with the module, the demo HMIS and the simulated ABDM, with what a
# step needs to act and to check, and all that went over the wire while it was taken, masked.

use strict;
use warnings;
use feature 'signatures';
use utf8;

use Carp qw(croak);
use Cpanel::JSON::XS ();
use Crypt::Digest::SHA256 qw(sha256_hex);
use List::Util qw(max);
use POSIX qw(strftime);
use Test::ABDM;
use Time::HiRes ();

our $FACILITY = 'IN0990001234_1';
our $COUNTER  = 'OPD1';

my $JSON       = Cpanel::JSON::XS->new->canonical->allow_nonref;
my $FIRST      = 300;        # number of the first synthetic citizen
my $LONG       = 160;        # characters of a value in the report
my $OPENS      = 12 * 60;    # minute of the facility's day at which all begins
my $ZONE       = 330;        # minutes
my $DAY        = 24 * 60 * 60;
my @HEADERS    = qw(request-id timestamp x-hip-id x-cm-id x-link-token);
my $QUIET_PATH = qr{/sessions\z|/certs\z};    # of no row, and only secrets

# Starts all of it. $mask is a Certify::Mask.
sub open_stage ($class, $mask) {
    my $t = Test::ABDM->new(
        clock => 1, sms => 1,
        lines => ['poll 500ms;', "counter $COUNTER \"Out-patients\";"],
    );
    $t->write_conf(http => [
        q(log_format abdm '$time_iso8601 "$request_method $uri" $status $request_time $abdm_result $abdm_request_id';),
        "access_log $t->{dir}/abdm.log abdm;",
    ]);
    my $self = bless { t => $t, mask => $mask, next => $FIRST, api => [], marks => {}, kept => {} }, $class;
    $t->start;
    $t->wait_for(call => path => '/certs$') or croak 'nginx does not fetch the keys of the gateway';
    $self->to_minute($OPENS);
    return $self;
}

sub t ($self) { return $self->{t} }

sub close_stage ($self) {
    my @pids = (values %{ $self->{t}{pids} }, $self->{t}->workers);
    $self->{t}->stop;
    return grep { kill 0, $_ } @pids;
}

# What a demonstration keeps for its later steps.
sub kept ($self) { return $self->{kept} }

sub start_over ($self) {
    $self->{kept} = {};
    $self->{violations} = $self->{t}->sim('/violations')->{count};
    return $self;
}

# ---- steps --------------------------------------------------------------------------------------

sub begin ($self, $seen) {
    $self->{seen}  = $seen;
    $self->{notes} = [];
    $self->{api}   = [];
    $self->{marks} = { n => $self->_last_number, map { $_ => length $self->{t}->read_file($_) } qw(abdm.log error.log) };
    return;
}

# What came over the wire meanwhile goes to the evidence.
sub end ($self, $seen) {
    my @messages = sort { $a->{ms} <=> $b->{ms} } $self->_calls, $self->_sent, @{ $self->{api} };
    my @ids      = grep { defined } map { delete $_->{id} } @messages;
    delete $_->{ms} for @messages;
    push @{ $seen->{evidence} }, (map { $self->_masked($_) } @messages), (map { { log => $_ } } $self->_log_lines(@ids)),
        @{ $self->{notes} };
    for my $check (@{ $seen->{checks} }) { $check->{text} = $self->{mask}->text($check->{text}) }
    $seen->{died} = $self->{mask}->text($seen->{died}) if defined $seen->{died};
    return;
}

sub check ($self, $ok, $text) {
    push @{ $self->{seen}{checks} }, { ok => $ok ? 1 : 0, text => $text };
    return $ok ? 1 : 0;
}

# Both as text; undef is "nothing", lists are joined.
sub equal ($self, $got, $wanted, $text) {
    my ($is, $should) = map { ref $_ ? join(', ', @$_) || 'nothing' : $_ // 'nothing' } $got, $wanted;
    return $self->check(1, "$text: $is") if $is eq $should;
    return $self->check(0, "$text: $is, not $should");
}

sub like ($self, $got, $pattern, $text) {
    return $self->check(defined $got && $got =~ $pattern ? 1 : 0, "$text: " . ($got // 'nothing'));
}

# A finding besides the messages: a text, or {member => value}.
sub note ($self, $what) {
    push @{ $self->{notes} }, { note => ref $what ? $self->_short($self->{mask}->data($what)) : $self->{mask}->text($what) };
    return;
}

# ---- evidence -----------------------------------------------------------------------------------

sub _last_number ($self) {
    my $last = $self->{last} // 0;
    my @all  = (@{ $self->_raw_calls($last)->{calls} }, @{ $self->_raw_sent($last)->{sent} });
    return $self->{last} = max($last, map { $_->{n} } @all);
}

sub _raw_calls ($self, $after) { return $self->{t}->sim("/calls?after=$after") }

sub _raw_sent ($self, $after) { return $self->{t}->sim("/sent?after=$after") }

sub _calls ($self) {
    my @messages;
    for my $call (@{ $self->_raw_calls($self->{marks}{n})->{calls} }) {
        next if $call->{path} =~ $QUIET_PATH;
        my $to = $call->{path} =~ m{\A/hiu/} ? 'requester' : $call->{path} =~ m{\A/sms/} ? 'SMS provider' : 'ABDM';
        push @messages, {
            ms => $call->{ms}, id => $call->{headers}{'request-id'}, way => "hospital to $to", at => $call->{at},
            method => $call->{method}, path => $call->{path}, headers => _chosen($call), body => $self->_body_of($call),
            status => $call->{status},
        };
    }
    return @messages;
}

# Of a page and an SMS the simulator keeps what it read of it.
sub _body_of ($self, $call) {
    return $call->{page} if $call->{page};
    return $call->{body} if $call->{path} !~ m{\A/sms/};
    my ($sms) = grep { $_->{n} == $call->{n} } @{ $self->{t}->sim('/sms')->{messages} };
    $self->{mask}->secret(otp => $sms->{code}) if $sms;
    return $sms ? $sms->{fields} : undef;
}

sub _sent ($self) {
    return map { +{
        ms => $_->{ms}, id => $_->{headers}{'request-id'}, way => 'ABDM to hospital', at => $_->{at}, method => $_->{method},
        path => $_->{url} =~ s{\Ahttps?://[^/]+}{}r, headers => _chosen($_), body => $_->{body}, status => $_->{status},
    } } @{ $self->_raw_sent($self->{marks}{n})->{sent} };
}

sub _chosen ($message) {
    my $headers = $message->{headers};
    my %chosen  = map { $_ => $headers->{$_} } grep { defined $headers->{$_} } @HEADERS;
    $chosen{authorization} = 'Bearer [token]' if $message->{authorization};
    return \%chosen;
}

sub _masked ($self, $message) {
    return $self->_short($self->{mask}->data({ %$message }));
}

# Long values, as those of cipher, are cut.
sub _short ($self, $thing) {
    return { map { $_ => $self->_short($thing->{$_}) } keys %$thing } if ref $thing eq 'HASH';
    return [map { $self->_short($_) } @$thing] if ref $thing eq 'ARRAY';
    return $thing if ref $thing || !defined $thing || length $thing <= $LONG;
    return substr($thing, 0, $LONG) . '... (' . length($thing) . ' characters)';
}

# Lines of both logs that name one of these requests.
sub _log_lines ($self, @ids) {
    return if !@ids;
    my $any = join '|', map { quotemeta } @ids;
    my @lines;
    for my $name (qw(abdm.log error.log)) {
        my $new = substr $self->{t}->read_file($name), $self->{marks}{$name};
        utf8::decode($new);
        push @lines, map { "$name: " . $self->{mask}->text($_) } grep { /$any/ } split /\n/, $new;
    }
    return @lines;
}

# ---- people -------------------------------------------------------------------------------------

# A citizen of their own for a demonstration, a patient of the HMIS with three visits. No demonstration
# depends on what another one did.
sub citizen ($self) {
    my $number = sprintf '%05d', $self->{next}++;
    return $self->meet("c$number\@sbx", visits => [map { "OPD-S-$number-$_" } 1 .. 3]);
}

# One whom the simulator knows by the address.
sub meet ($self, $address, %more) {
    my $known = $self->{t}->sim("/citizens/$address");
    my %who = ((map { $_ => $known->{$_} } qw(address number name gender dob yearOfBirth mobile uhid)), %more);
    $self->{mask}->person(%who);
    return \%who;
}

# As the hospital's software tells of the patient.
sub patient_body ($self, $who) {
    return { reference => $who->{uhid}, name => $who->{name}, gender => $who->{gender}, yearOfBirth => 0 + $who->{yearOfBirth},
        mobile => $who->{mobile}, abhaAddress => $who->{address}, abhaNumber => $who->{number} };
}

# ---- acts ---------------------------------------------------------------------------------------

# A call of the hospital's own software to the module, kept as evidence.
sub api ($self, $method, $path, $body = undef) {
    my $at  = Time::HiRes::time() * 1000;
    my $got = $self->{t}->api($method, $path, $body);
    push @{ $self->{api} }, {
        ms => $at, way => "hospital's software to nginx", method => $method, path => "/abdm/api/v1/$path",
        (defined $body ? (body => $body) : ()), status => $got->{status}, answer => $got->{body},
    };
    return $got;
}

# What is kept of one care context by the module.
sub context ($self, $reference) { return $self->{t}->api(GET => "care-contexts/$reference")->{body} }

# Waits until it is in this state; gives it then, or as it was last.
sub context_in ($self, $reference, $state, $seconds = 10) {
    my $got;
    $self->{t}->wait_until(sub { $got = $self->context($reference); ($got->{state} // '') eq $state }, $seconds);
    return $got;
}

sub links ($self, $who) {
    return [sort map { $_->{context} } @{ $self->{t}->sim("/citizens/$who->{address}/links?hip=$FACILITY")->{links} }];
}

# An act of the citizen's app.
sub act ($self, $who, $what, %wish) {
    return $self->{t}->sim("/citizens/$who->{address}/$what", { hip => $FACILITY, %wish });
}

sub linking ($self, $linking, $what, %wish) { return $self->{t}->sim("/linkings/$linking->{transaction_id}/$what", \%wish) }

# The code of the newest SMS.
sub sms_code ($self, $who, $count = 1) {
    my $message = $self->{t}->wait_for(sms => mobile => $who->{mobile}, count => $count) // {};
    $self->{mask}->secret(otp => $message->{code});
    return $message->{code};
}

# A six-digit code that is not this one.
sub other_code ($self, $code) {
    my $wrong = sprintf '%06d', (($code // 0) + 1) % 1_000_000;
    $self->{mask}->secret(otp => $wrong);
    return $wrong;
}

# Somebody enters a visit of today on the screens of the HMIS.
sub new_visit ($self, %visit) {
    my $today = strftime('%d-%m-%Y %H:%M', gmtime $self->{t}->now + 60 * $ZONE);
    return $self->{t}->hmis('/_test/visits', { date => $today, %visit })->{visit};
}

sub references ($self, $answer) {
    my %seen = map { $_->{referenceNumber} => 1 } map { @{ $_->{careContexts} } } @{ $answer->{patient} // [] };
    return [sort keys %seen];
}

# {the HMIS's paper => SHA-256 of its bytes} of visits.
sub papers ($self, @visits) {
    my @papers = map { @{ $self->{t}->hmis("/api/visits/$_")->{papers} } } @visits;
    return map { +{ %$_, sha256 => sha256_hex($self->{t}->hmis_bytes($_->{file})) } } @papers;
}

# A consent for these visits, granted and acknowledged.
sub consent ($self, $who, $contexts, %wish) {
    my $t       = $self->{t};
    my $consent = $t->grant(patient => $who->{address}, patient_reference => $who->{uhid}, contexts => $contexts, %wish);
    $t->wait_for(ack => consent => $consent->{consent_id});
    return $consent;
}

# Asks for the data of a consent and waits for the end; the transfer as the requester saw it.
sub pull ($self, $consent, %wish) {
    my $t  = $self->{t};
    my $id = $t->request($consent, %wish);
    return $t->wait_for(notify => transaction => $id, timeout_ms => 20_000) // $t->sim("/transfers/$id");
}

# Asks in vain: the refusal that comes instead.
sub refused_pull ($self, $consent, %wish) {
    my $t  = $self->{t};
    my $id = $t->request($consent, %wish);
    return $t->wait_for(on_request => transaction => $id) // $t->sim("/transfers/$id");
}

# ---- time ---------------------------------------------------------------------------------------

# Moves the clock of nginx and of ABDM.
sub later ($self, $seconds) { return $self->{t}->advance($seconds * 1000) }

# Forward to this minute of the facility's day, and some seconds.
sub to_minute ($self, $minute) {
    my $second = (int($self->{t}->now) + 60 * $ZONE) % $DAY;
    return $self->later((60 * $minute - $second) % $DAY + 5);
}

# ---- conduct ------------------------------------------------------------------------------------

# The simulator's complaints since start_over.
sub violations ($self) {
    my $all = $self->{t}->sim('/violations')->{violations};
    return @$all[$self->{violations} .. $#$all];
}

sub canonical ($self, $thing) { return $JSON->encode($thing) }

1;
