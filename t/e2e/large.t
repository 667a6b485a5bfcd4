#!/usr/bin/env perl

# A record of 200 MB goes through and arrives whole, and no worker's memory grows with it.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Digest::SHA;
use Time::HiRes qw(time);
use Test::ABDM;
use Test::More;

my $BYTES = 200 * 1024 * 1024;
my $MOST  = 64 * 1024;           # KB above idle

Test::ABDM->need_module;
plan skip_all => 'a sanitizer has memory of its own' if Test::ABDM->build_dir =~ /asan/;
my $t = Test::ABDM->new->start;

# {pid => KB}: VmRSS now, or VmHWM, the highest it ever was.
sub memory ($what) {
    my %kb;
    for my $pid ($t->workers) {
        open my $file, '<', "/proc/$pid/status" or next;
        my $status = do { local $/ = undef; <$file> };
        close $file or next;
        ($kb{$pid}) = $status =~ /^$what:\s+(\d+) kB/m;
    }
    return \%kb;
}

# An ordinary transfer first, so that what is made once is there.
sub transfer ($seconds) {
    my $consent = $t->grant(contexts => ['OPD-26-0655'], patient_reference => 'UH100233');
    my $id      = $t->request($consent);
    return $t->wait_for(notify => transaction => $id, timeout_ms => $seconds * 1000);
}
ok transfer(10), 'an ordinary transfer';

my $sha = do {
    $t->hmis('/_test/fault', { path => '^/files/4901', action => 'huge', bytes => $BYTES, count => 1 });
    my $digest = Digest::SHA->new(256);
    my $tx     = $t->ua->build_tx(GET => $t->hmis_url . '/files/4901.pdf');
    $tx->res->content->unsubscribe('read')->on(read => sub ($content, $bytes) { $digest->add($bytes) });
    $t->ua->start($tx);
    $digest->hexdigest;
};

my $idle = memory('VmRSS');
$t->hmis('/_test/fault', { path => '^/files/4901', action => 'huge', bytes => $BYTES, count => 1 });
my $start = time;
my $done  = transfer(120);
my $took  = time - $start;
ok $done, 'the transfer ends' or diag $t->error_log;
is $done->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', 'transferred';
my ($page) = @{ $done->{pages} };
is $page->{attachments}[0]{size}, $BYTES, 'the file has its size';
is $page->{attachments}[0]{sha256}, $sha, 'and its bytes';
cmp_ok $took, '<', 200, 'in less than 200 s';

my $most = memory('VmHWM');
for my $pid (sort keys %$most) {
    my $more = $most->{$pid} - ($idle->{$pid} // 0);
    cmp_ok $more, '<', $MOST, sprintf 'a worker had at most %d MB above its %d MB at idle', $more / 1024, ($idle->{$pid} // 0) / 1024;
}
is_deeply [sort keys %$most], [sort keys %$idle], 'and no worker was replaced';
note sprintf '%d MB in %.1f s (with the simulator\'s own decryption)', $BYTES / 1048576, $took;
note "$_: $most->{$_} KB at most, $idle->{$_} KB idle" for sort keys %$most;

$t->no_violations;
$t->finish;
