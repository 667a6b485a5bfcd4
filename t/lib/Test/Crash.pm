package Test::Crash;

# What the tests of sudden death share: the events of flow/table.c by the stories that raise them, the fault
# points that follow, and a worker that dies at one while a story is told.

use strict;
use warnings;
use feature 'signatures';

use Exporter 'import';
use Test::ABDM;
use Test::More;
use Time::HiRes qw(time);

our @EXPORT_OK = qw(crash_harness is_complete patient_api points tell_through);

# By what each event is raised: a callback, an answer from outside, or another event or its time. Those of the
# API are not here: nobody has been told anything when they are cut short.
my %STORY = (
    transfer => {
        'consent.notified' => 'callback', 'consent.fetch_sent' => 'answer', 'consent.fetched' => 'callback', 'consent.settled' => 'event',
        'consent.unanswered' => 'event', 'transfer.requested' => 'callback', 'transfer.acknowledged' => 'answer', 'transfer.listed' => 'answer',
        'transfer.page_due' => 'event', 'transfer.fetched' => 'answer', 'transfer.pushed' => 'answer', 'transfer.notified' => 'answer',
        'transfer.over' => 'event', 'reply.sent' => 'answer',
    },
    link => {
        'discovery.asked' => 'callback', 'discovery.found' => 'answer', 'discovery.contexts' => 'answer', 'discovery.answered' => 'answer',
        'discovery.over' => 'event', 'link.init_asked' => 'callback', 'link.otp_sent' => 'answer', 'link.confirm_asked' => 'callback',
        'link.otp_verified' => 'answer', 'link.confirmed' => 'answer',
    },
    share    => { 'share.asked' => 'callback', 'share.found' => 'answer', 'share.saved' => 'answer' },
    leave    => { 'patient.status' => 'callback' },
    hospital => {
        'link.due' => 'event', 'link.token_asked' => 'answer', 'link.token_came' => 'callback', 'link.sent' => 'answer', 'link.linked' => 'callback',
        'hmis.told' => 'answer',
    },
    silence  => { 'link.token_silent' => 'event', 'link.silent' => 'event' },
    news     => { 'context.notify_due' => 'event', 'context.notify_sent' => 'answer', 'context.notified' => 'callback' },
    feed     => { 'feed.due' => 'event', 'feed.came' => 'answer' },
    sms      => { 'sms.due' => 'event', 'sms.sent' => 'answer', 'sms.notified' => 'callback' },
    auth     => { 'auth.modes' => 'callback', 'auth.sent' => 'answer', 'auth.begun' => 'callback', 'auth.confirmed' => 'callback' },
    direct   => { 'auth.notified' => 'callback' },
    overdue  => { 'auth.over' => 'event' },
    wrapper  => { 'nha.found' => 'answer', 'nha.over' => 'event' },
);

# Every event of the table is in a story of some test, and every place of the engine in points().
sub is_complete {
    my %known = map { $_ => 1 } map { keys %$_ } values %STORY;
    my @events = grep { !/\A(?:api|nha)[.]/ || $known{$_} } _source('flow/table.c') =~ /\{"([\w.]+)",/g;
    my @unknown = grep { !$known{$_} } @events;
    is_deeply \@unknown, [], 'every event of flow/table.c is in a story';
    my %there = map { $_ => 1 } @events;
    is_deeply [grep { !$there{$_} } sort keys %known], [], 'and there are no others';
    my %place = map { $_ => 1 } map { _source($_ =~ s{.*/lib/}{}r) =~ /abdm_fault_point\("(\w+)"/g } glob Test::ABDM->root . '/lib/engine/*.c';
    is_deeply [sort keys %place], [qw(accepted after answered before)], 'at every place that the engine has';
    return;
}

sub _source ($file) { local (@ARGV, $/) = (Test::ABDM->root . "/lib/$file"); return <> }

# The points of a story, in which callbacks of these paths are accepted.
sub points ($story, @paths) {
    my $raised = $STORY{$story};
    return (
        (map { "accepted $_" } @paths),
        (map { my $event = $_; map { "$_ $event" } ($raised->{$event} eq 'answer' ? 'answered' : ()), 'before', 'after' } sort keys %$raised),
    );
}

# A harness whose workers can die.
sub crash_harness (%option) {
    my $t = Test::ABDM->new(%option, main => ['env ABDM_FAULT_FILE;']);
    $t->{option}{env} = { ABDM_FAULT_FILE => "$t->{dir}/fault" };
    return $t;
}

# A call of the API, again while there is no worker to take it.
sub patient_api ($t, @call) {
    return $t->wait_until(sub { eval { $t->api(@call) } }, 5);
}

# Tells the story while a worker dies at each of these points in turn; $wait is called until the fault has
# struck. Gives how many died.
sub tell_through ($t, $story, $tell, $wait, @points) {
    my $died = 0;
    for my $point (@points) {
        subtest "$story through a death: $point" => sub {
            my $start = time;
            $t->write_file('fault', "$point\n");
            $tell->();
            ok $t->wait_until(sub { $wait->(); !-e "$t->{dir}/fault" }, 10), 'a worker died there' and $died++;
            unlink "$t->{dir}/fault";
            note sprintf '%.2f s', time - $start;
        };
    }
    return $died;
}

1;
