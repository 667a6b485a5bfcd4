#!/usr/bin/env perl

# What becomes of callbacks and transfers when the store cannot be written or read: its disk is full,
# read-only or broken (t/e2e/failing_disk.c), somebody else has it locked, it is damaged, no file can be
# made beside it. Whatever is answered 202 is kept, what cannot be kept is answered 503, the log names the
# trouble once, and when it is over all goes on, without a reload.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Errno qw(EIO ENOSPC EROFS);
use Fcntl qw(F_SETLKW F_WRLCK SEEK_SET);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;
plan skip_all => 'AddressSanitizer wants to be the first library' if Test::ABDM->build_dir =~ /asan/;

my $WAL_WRITE_LOCK = 120;               # byte of the -shm file (sqlite.org/walformat.html)
my $PAGE           = 4096;
my %FAULT          = (full => ENOSPC, 'read-only' => EROFS, broken => EIO);
my $t              = Test::ABDM->new(main => ['env FAILING_DISK;']);
my $DISK           = "$t->{dir}/disk";
my $DB             = "$DISK/abdm.db";
my $library        = "$t->{dir}/failing_disk.so";
system('cc', '-shared', '-fPIC', '-O1', '-w', '-o', $library, "$FindBin::Bin/failing_disk.c", '-ldl') == 0
    or plan skip_all => 'no compiler';

# In place: rights and mappings stay.
sub overwrite ($path, $bytes) {
    open my $file, '+<:raw', $path or die "$path: $!\n";
    syswrite $file, $bytes;
    return close $file;
}

sub fault ($error, $left = 0) { return overwrite("$DISK.state", pack 'q q', $error, $left) }

mkdir $DISK or die "$DISK: $!\n";
my ($uid, $gid) = (getpwnam 'www-data')[2, 3];
chown $uid, $gid, $DISK if $> == 0 && defined $uid;
$t->write_file('disk.state', pack('q q', 0, 0), oct '666');
$t->{option}{store} = $DISK;
$t->{option}{env} = { LD_PRELOAD => $library, FAILING_DISK => $DISK };
$t->start;

sub grant { return $t->grant(contexts => ['OPD-26-0771']) }

sub status_of ($consent) { return $consent->{sent}{status} }

sub transfer_done ($consent, $name) {
    my $id = $t->request($consent);
    $t->wait_for(notify => transaction => $id, timeout_ms => 20_000);
    return ok $t->wait_until(sub { $t->listed($id)->{state} eq 'DONE' }), $name;
}

# Again as the gateway does it, until it is taken.
sub is_taken ($consent, $name) {
    my $taken = $t->wait_until(sub { $t->announce($consent, 'GRANTED')->{status} == 202 }, 10);
    return ok $taken, $name;
}

# Lines of the log since the last time that this was asked.
my $read = 0;

sub told ($pattern) {
    my @lines = split /\n/, $t->error_log;
    my @new = @lines[$read .. $#lines];
    return grep { /$pattern/ } @new;
}

sub forget_log { $read = () = $t->error_log =~ /\n/g; return $read }

transfer_done(grant(), 'a transfer while all is well');

subtest 'a disk that is full at any byte: 202 is kept, 503 is not' => sub {
    my (%count, @kept, @refused);
    for my $left (0, 1, 24, 512, map { $_ * 6000 } 1 .. 9) {
        fault($FAULT{full}, $left);
        for my $consent (map { grant() } 1 .. 2) {
            $count{ status_of($consent) }++;
            push @{ status_of($consent) == 202 ? \@kept : \@refused }, $consent;
        }
        fault(0);
        $t->wait_until(sub { $t->api(GET => 'transfers')->{status} == 200 });
    }
    note explain \%count;
    is_deeply [grep { !/\A(?:202|503)\z/ } keys %count], [], 'nothing but 202 and 503';
    cmp_ok $count{503} // 0, '>', 0, 'some are refused';
    cmp_ok $count{202} // 0, '>', 0, 'some taken while there is room';
    is_deeply [grep { $_->{sent}{body} !~ /"E_STORE"/ } @refused], [], 'what was refused was told E_STORE';
    ok $t->wait_until(sub { @kept == grep { $t->explain($_->{consent_id}) } @kept }, 10), 'each that was accepted is known: ' . @kept;
    is scalar(grep { $t->explain($_->{consent_id}) } @refused), 0, 'none that was refused is';
    is_taken($refused[0], 'what was refused is taken when it comes again');
    transfer_done($_, 'and serves') for $refused[0], $kept[-1] // ();
};

for my $how (sort keys %FAULT) {
    subtest "a transfer that meets a $how disk goes on when it is mended" => sub {
        my $consent = grant();
        $t->wait_for(ack => consent => $consent->{consent_id});
        forget_log();
        $t->hmis('/_test/clear', {});
        $t->hmis('/_test/fault', { path => '^/api/visits/', action => 'slow', ms => 1500, count => 1 });
        my ($id, $sent) = $t->request($consent);
        is $sent->{status}, 202, 'it is asked for';
        ok $t->wait_until(sub { grep { /transfer[.]listed/ } $t->open_work($id) }), 'the HMIS is asked';
        fault($FAULT{$how});
        my $late = grant();
        is status_of($late), 503, 'a callback now is refused';
        ok $t->wait_until(sub { grep { $_->{path} =~ m{\A/api/visits/} } @{ $t->hmis('/_test/requests')->{requests} } }, 20), 'the HMIS answers';
        sleep 1;    # that its answer may meet the disk
        is_deeply [map { $_->{pageNumber} } @{ $t->sim("/transfers/$id")->{pages} // [] }], [], 'nothing is sent that is not written down';
        my @told = told(qr/\[error\] \S+ abdm: E_STORE/);
        is scalar(@told), 1, 'the log names it once' or diag join "\n", @told;
        like $told[0] // '', qr/E_STORE: the database refused an operation: .*nothing of a transaction is kept/, 'and says what it is';
        is $t->api(GET => 'patients/UH100231')->{status}, 503, 'the hospital is told the same';
        ok $t->alive('nginx'), 'nginx lives';
        fault(0);
        $t->wait_for(notify => transaction => $id, timeout_ms => 30_000);
        ok $t->wait_until(sub { $t->listed($id)->{state} eq 'DONE' }), 'mended, it is done';
        ok $t->wait_until(sub { told(qr/the store works again; failed=\d+ seconds=\d+/) }), 'which the log tells too';
        is_taken($late, 'what was refused is taken');
    };
}

subtest 'a worker that starts while the disk is broken serves when it is mended' => sub {
    my ($worker) = $t->workers;
    $t->sim('/config', { may_forget => 1 });    # what a killed worker sent and could not write down comes again
    fault($FAULT{broken});
    kill KILL => $worker;
    ok $t->wait_until(sub { my ($new) = $t->workers; $new && $new != $worker && told(qr/engine .* started/) }, 10), 'a new worker';
    my $consent;
    ok $t->wait_until(sub { ($consent = eval { grant() }) && status_of($consent) == 503 }, 10), 'refuses';
    fault(0);
    is_taken($consent, 'and takes');
    transfer_done($consent, 'and serves');
};

subtest 'somebody else has it locked' => sub {
    forget_log();
    open my $shm, '+<', "$DB-shm" or die "$DB-shm: $!\n";
    fcntl $shm, F_SETLKW, pack 's s x4 q q i x4', F_WRLCK, SEEK_SET, $WAL_WRITE_LOCK, 1, 0 or die "lock: $!\n";
    my $consent = grant();
    is status_of($consent), 503, 'for too long: refused';
    like $consent->{sent}{body}, qr/"E_STORE_BUSY"/, 'as E_STORE_BUSY';
    my @told = told(qr/\[error\] \S+ abdm: E_STORE/);
    is scalar(@told), 1, 'told once' or diag join "\n", @told;
    close $shm or die "$DB-shm: $!\n";    # and it is free again
    is_taken($consent, 'taken when it is free');
    transfer_done($consent, 'and serves');
};

subtest 'no file can be made beside the store: a large record waits, all else goes on' => sub {
    my $large = $t->grant(contexts => ['OPD-26-0655'], patient_reference => 'UH100233');
    $t->wait_for(ack => consent => $large->{consent_id});
    $t->hmis('/_test/fault', { path => '^/files/4901', action => 'huge', bytes => 1_000_000 });
    forget_log();
    chmod 0555, $DISK;
    my $id = $t->request($large);
    ok $t->wait_until(sub { told(qr/E_SYSTEM.*spool/) }, 20), 'the log says what cannot be done';
    transfer_done(grant(), 'a small record goes through');
    chmod 0755, $DISK;
    my $done = $t->wait_for(notify => transaction => $id, timeout_ms => 60_000);
    is $done && $done->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', 'the large one too, with the rights put right';
    $t->hmis('/_test/clear', {});
};

# With a copy of the database changed by $change while nginx is down.
sub damaged ($change) {
    $t->stop_nginx;
    my $whole = $t->read_file('disk/abdm.db');
    overwrite($DB, $change->($whole));
    forget_log();
    return sub {
        $t->stop_nginx if $t->{pids}{nginx};
        unlink "$DB-wal", "$DB-shm";
        overwrite($DB, $whole);
        $t->start_nginx;
    };
}

sub start_fails {
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        local $ENV{LD_PRELOAD}   = $library;
        local $ENV{FAILING_DISK} = $DISK;
        open STDERR, '>', '/dev/null' or POSIX::_exit(126);
        exec 'timeout', '10', 'nginx', '-p', $t->{dir}, '-e', "$t->{dir}/error.log", '-c', "$t->{dir}/nginx.conf", '-g', 'daemon off;'
            or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return $? >> 8 == 1;
}

subtest 'damaged pages: nothing is taken, and with the backup all is there' => sub {
    my $consent = grant();
    $t->wait_for(ack => consent => $consent->{consent_id});
    my $put_right = damaged(sub ($whole) {
        my @pages = unpack "(a$PAGE)*", $whole;
        $_ ^= "\x5a" x $PAGE for @pages[1 .. $#pages];
        join '', @pages;
    });
    my $late;
    if (start_fails()) {
        pass 'nginx does not start';
    } else {
        $t->start_nginx;
        $late = grant();
        is status_of($late), 503, 'callbacks are refused';
    }
    ok told(qr/E_STORE.*(?:malformed|not a database)/), 'and the log says why';
    $put_right->();
    transfer_done($consent, 'put right, what was there is there');
};

subtest 'what is no database is named at the start' => sub {
    my $consent = grant();
    $t->wait_for(ack => consent => $consent->{consent_id});
    my $put_right = damaged(sub ($whole) { 'this is no database of SQLite 3' x 3 });
    ok start_fails(), 'nginx does not start';
    ok told(qr/\[emerg\].*E_STORE.*\Q$DB\E.*not a database/), 'and says which file is wrong, and how';
    $put_right->();
    transfer_done($consent, 'put right, it starts and works');
};

subtest 'a store that cannot be written at the start is named' => sub {
    $t->stop_nginx;
    forget_log();
    fault($FAULT{'read-only'});
    ok start_fails(), 'nginx does not start';
    ok told(qr/\[emerg\].*E_STORE.*\Q$DB\E/), 'and says so' or diag join "\n", told(qr/./);
    fault(0);
    $t->start_nginx;
    transfer_done(grant(), 'put right, it starts and works');
};

$t->no_violations;
$t->finish(alerts => qr/abdm_store|exited on signal 9/);
