#!/usr/bin/env perl

# Shows of linking, notices and sharing what selftest.t shows of consents and transfers: a correct
# exchange passes without a word, and each single deviation is noticed under its own name.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;
use Test::TinyLinker;
use Sim::Clock qw(iso new_uuid);

my $t = Test::ABDM->new(module => 0);
$t->start_simulator;
my $hip = Test::TinyLinker->new(sim_url => $t->sim_url, certs => $t->certs, port => Test::ABDM::free_port())->serve;
$hip->sim('/config', { bridge_url => 'https://127.0.0.1:' . $hip->port . '/abdm', redeliver_ms => 50, callback_delay_ms => 1,
    hips => { IN0990001234_1 => 'Demo Hospital', IN0990009999_1 => 'Other Hospital' } });

my $OTHER = 'IN0990009999_1';
my $FALSE = Cpanel::JSON::XS::false;
my %QUICK = (wait => $FALSE);

sub rules {
    my %broken = map { $_->{rule} => 1 } @{ $hip->sim('/violations')->{violations} };
    return [sort keys %broken];
}

sub move_clock ($seconds) {
    Sim::Clock::move_clock($seconds);
    $hip->sim('/clock', { move => $seconds });
    $hip->log_in;
    return;
}

# The steps of the two ways to a link, of a share and of leaving, in order.
my @STEPS = (
    [token => sub { $hip->get_token }],
    [linked => sub { $hip->carecontext; $hip->callback('linked') }],
);
my @BY_CITIZEN = (
    [asked    => sub { $hip->sim('/citizens/asha.k@sbx/discover', {%QUICK}) }],
    [found    => sub { $hip->on_discover }],
    [chosen   => sub { $hip->sim("/linkings/$_[0]{transaction_id}/init", {%QUICK}) }],
    [ready    => sub { $hip->on_init }],
    [told     => sub { $hip->send_sms('9000000001', 'OTP for linking is 482913. Demo Hospital') }],
    [typed    => sub { $hip->sim("/linkings/$_[0]{transaction_id}/confirm", {%QUICK}) }],
    [shared   => sub { $hip->sim('/citizens/asha.k@sbx/share', {%QUICK}) }, 1],
    [leaving  => sub { $hip->sim('/citizens/asha.k@sbx/status', { %QUICK, status => 'DEACTIVATED' }) }, 1],
);

# A fresh start, and the steps up to $stage; those that stand alone are taken alone.
sub reach ($stage) {
    $hip->sim('/reset', { sessions => 1, citizens => 1 });
    $hip->received([]);
    $hip->log_in;
    my $linking = {};
    for my $way (\@STEPS, \@BY_CITIZEN) {
        next if !grep { $_->[0] eq $stage } @$way;
        for my $step (@$way) {
            my ($name, $do, $alone) = @$step;
            next if $alone && $name ne $stage;
            next if !$alone && grep { $_->[2] && $_->[0] eq $stage } @$way;
            my $got = $do->($linking);
            $linking = $got if ref $got eq 'HASH' && $got->{transaction_id};
            last if $name eq $stage;
        }
    }
    return $linking;
}

subtest 'a facility links by itself without a word' => sub {
    reach('linked');
    my $got = $hip->callback('linked')->{body};
    is $got->{status}, 'Successfully Linked care context', 'linked';
    my ($link) = @{ $hip->sim('/citizens/asha.k@sbx/links')->{links} };
    is_deeply [@$link{qw(context patient_reference hip hi_types display times how)}],
        ['OPD-26-0771', 'UH100231', 'IN0990001234_1', ['OPConsultation'], 'Visit OPD-26-0771', 1, 'hip'], 'and known as it was linked';
    my ($header, $claims) = map { $hip->decoded($_) } (split /[.]/, $hip->link_token)[0, 1];
    is $header->{alg}, 'RS512', 'the token is RS512';
    is $claims->{exp} - $claims->{iat}, 15_768_000, 'for 182.5 days';
    is_deeply [@$claims{qw(hipId sub abhaNumber)}], ['IN0990001234_1', 'asha.k@sbx', 91_111_222_233_334], 'bound to both';

    is $hip->context_notify->code, 202, 'a notice at once is accepted';
    is $hip->callback('noticed')->{body}{error}{code}, 'ABDM-1006', 'but it is too early';
    move_clock(31);
    is $hip->context_notify->code, 202, 'half a minute later';
    is $hip->callback(noticed => 2)->{body}{acknowledgement}{status}, 'SUCCESS', 'it is taken';
    is $hip->sms_notify->code, 202, 'a deep link is asked for';
    is $hip->callback('sms')->{body}{status}, 'ACKNOWLEDGED', 'and sent';
    like $hip->sim('/deep-links?mobile=9000000001')->{messages}[0]{text}, qr/Demo Hospital/, 'to the inbox';
    $hip->sim('/config', { sms_shape => 'response' });
    $hip->sms_notify;
    is $hip->callback(sms => 2)->{body}{acknowledgement}{status}, 'SUCCESS', 'the other shape on demand';
    is_deeply rules(), [], 'no violation';
};

subtest 'a citizen links without a word' => sub {
    my $linking = reach('typed');
    is $hip->callback('confirm')->{body}{confirmation}{token}, '482913', 'the password is read from the SMS';
    is $hip->on_confirm->code, 202, 'confirmed';
    my ($link) = @{ $hip->sim('/citizens/asha.k@sbx/links')->{links} };
    is $link->{how}, 'user', 'linked by the user';
    my $view = $hip->sim("/linkings/$linking->{transaction_id}/view", {});
    ok defined $view->{$_}{answer_ms}, "$_ was timed" for qw(discover init confirm);
    reach('shared');
    is $hip->on_share->code, 202, 'a share is answered';
    is $hip->sim('/shares')->{shares}[0]{token}, '17', 'with a token';
    reach('leaving');
    my $asked = $hip->callback('status');
    is $asked->{body}{requestId}, $asked->{headers}->header('REQUEST-ID'), 'the old envelope is whole';
    is $hip->on_status->code, 202, 'leaving is acknowledged';
    is_deeply rules(), [], 'no violation';
};

# A body with one element, changed.
sub one (%change) {
    my %element = (%{ $hip->element('A-1') }, %change);
    return { patient => [\%element] };
}

# name => [stage, rule or rules, what is done wrong, answer]
my @DEVIATIONS = (
    ['a token for a dashed number', 'asked', 'body.shape', sub { $hip->generate_token(body => { abhaNumber => '91-1112-2223-3334' }) }, 400],
    ['a token with the year as text', 'asked', 'body.shape', sub { $hip->generate_token(body => { yearOfBirth => '1988' }) }, 400],
    ['a token for a name in other letters', 'asked', 'body.shape', sub { $hip->generate_token(body => { name => 'Asha #1' }) }, 400],
    ['a token for nobody', 'asked', 'token.nobody', sub { $hip->generate_token(body => { abhaNumber => undef, abhaAddress => undef }) }, 400],
    ['a token once more at once', 'token', 'token.again', sub { $hip->generate_token }, 400],
    ['a token without X-HIP-ID', 'asked', 'hip-id.missing', sub { $hip->generate_token(headers => { 'X-HIP-ID' => undef }) }, 403],
    ['a link without its token', 'token', 'link-token.missing', sub { $hip->carecontext(headers => { 'X-LINK-TOKEN' => undef }) }, 400],
    ['a link with Bearer in front', 'token', 'link-token.form', sub { $hip->carecontext(headers => { 'X-LINK-TOKEN' => 'Bearer ' . $hip->link_token }) }, 400],
    ['a link with a token of nobody', 'token', 'link-token.unknown', sub { $hip->carecontext(headers => { 'X-LINK-TOKEN' => 'a.b.c' }) }, 400],
    ['a link with a token of another facility', 'token', 'link-token.hip', sub { $hip->carecontext(headers => { 'X-HIP-ID' => $OTHER }) }, 400],
    ['a link for another number', 'token', 'link-token.number', sub { $hip->carecontext(body => { abhaNumber => '91111222233343' }) }, 400],
    ['a link without the number that the token has', 'token', 'link-token.number', sub { $hip->carecontext(body => { abhaNumber => undef }) }, 400],
    ['a link for another address', 'token', 'link-token.address', sub { $hip->carecontext(body => { abhaAddress => 'ravi.i@sbx' }) }, 202],
    ['a link with hiType as an array', 'token', 'body.shape', sub { $hip->carecontext(body => one(hiType => ['OPConsultation'])) }, 400],
    ['a link with an unknown hiType', 'token', 'body.shape', sub { $hip->carecontext(body => one(hiType => 'OPCONSULTATION')) }, 400],
    ['a link with a dashed number', 'token', 'body.shape', sub { $hip->carecontext(body => { abhaNumber => '91-1112-2223-3334' }) }, 400],
    ['a link of nothing', 'token', 'body.shape', sub { $hip->carecontext(body => { patient => [] }) }, 400],
    ['a link of 21 contexts', 'token', 'body.shape', sub { $hip->carecontext(body => { patient => [$hip->element(map { "A-$_" } 1 .. 21)] }) }, 400],
    ['a link with a label of other letters', 'token', 'body.shape', sub { $hip->carecontext(body => one(display => 'Asha; K')) }, 400],
    ['a link with a wrong count', 'token', 'patient.count', sub { $hip->carecontext(body => one(count => 2)) }, 202],
    ['a link with a HI type in two elements', 'token', 'patient.hi-type-twice', sub { $hip->carecontext(body => { patient => [$hip->element('A-1'), $hip->element('A-2')] }) }, 202],
    ['a link with a context twice', 'token', 'patient.context-twice', sub { $hip->carecontext(body => { patient => [$hip->element('A-1', 'A-1')] }) }, 202],
    ['a link of two patients', 'token', ['link.wrong-patient', 'patient.several'], sub { $hip->carecontext(body => { patient => [$hip->element('A-1'), one(referenceNumber => 'UH100232', hiType => 'Invoice')->{patient}[0]] }) }, 202],
    ['a link of the wrong patient', 'token', 'link.wrong-patient', sub { $hip->carecontext(body => one(referenceNumber => 'UH100232')) }, 202],
    ['a label that tells of the illness', 'token', 'display.clinical', sub { $hip->carecontext(body => one(display => 'HIV clinic')) }, 202],
    ['a label with a number of the citizen', 'token', 'display.personal', sub { $hip->carecontext(body => one(display => 'Asha 90000-00001')) }, 202],
    ['a link request twice', 'linked', 'link.repeated', sub { $hip->carecontext }, 400],
    ['a context that is linked', 'linked', 'link.context-again', sub { $hip->carecontext(body => { patient => [$hip->element('OPD-26-0771', 'A-1')] }) }, 202],
    ['X-LINK-TOKEN on another call', 'linked', 'header.unexpected', sub { $hip->context_notify(headers => { 'X-LINK-TOKEN' => $hip->link_token }) }, 400],
    ['a notice of what is not linked', 'linked', 'notice.unlinked', sub { $hip->context_notify(body => { notification => { careContext => { careContextReference => 'A-9' } } }) }, 202],
    ['a notice with the ABHA address for the patient', 'linked', 'body.shape', sub { $hip->context_notify(body => { notification => { hiTypes => 'OPConsultation' } }) }, 400],
    ['a notice for another patient', 'linked', 'notice.patient', sub { $hip->context_notify(body => { notification => { careContext => { patientReference => 'asha.k@sbx' } } }) }, 202],
    ['a notice dated tomorrow', 'linked', 'notice.date', sub { $hip->context_notify(body => { notification => { date => iso(time + 86_400) } }) }, 400],
    ['a notice of another facility', 'linked', 'hip-id.other', sub { $hip->context_notify(body => { notification => { hip => { id => $OTHER } } }) }, 400],
    ['a deep link to a landline', 'asked', 'body.shape', sub { $hip->sms_notify(body => { notification => { phoneNo => '02212345678' } }) }, 400],
    ['a deep link of another facility', 'asked', 'hip-id.other', sub { $hip->sms_notify(body => { notification => { hip => { id => $OTHER } } }) }, 400],
    ['a deep link with another requestId', 'asked', 'envelope.request-id', sub { $hip->sms_notify(body => { requestId => new_uuid() }) }, 400],
    ['a deep link with another timestamp', 'asked', 'envelope.timestamp', sub { $hip->sms_notify(body => { timestamp => '2026-03-05T09:15:00.000Z' }) }, 400],
    ['a discovery answered for another transaction', 'asked', 'transaction.other', sub { $hip->on_discover(body => { transactionId => new_uuid() }) }, 400],
    ['a discovery with patient and error', 'asked', 'result.both', sub { $hip->on_discover(body => { error => { code => 'ABDM-1010', message => 'x' } }) }, 400],
    ['a discovery with neither', 'asked', 'result.none', sub { $hip->on_discover(body => { patient => undef }) }, 400],
    ['a discovery without matchedBy', 'asked', 'discover.matched-by', sub { $hip->on_discover(body => { matchedBy => undef }) }, 400],
    ['a discovery matched by what was not given', 'asked', 'discover.matched-by', sub { $hip->on_discover(body => { matchedBy => ['MR'] }) }, 400],
    ['a discovery of somebody else', 'asked', 'discover.wrong-patient', sub { $hip->on_discover(body => one(referenceNumber => 'UH100234')) }, 400],
    ['a discovery with a wrong count', 'asked', 'patient.count', sub { $hip->on_discover(body => one(count => 0)) }, 400],
    ['a discovery answered twice', 'found', 'response.repeated', sub { $hip->on_discover }, 400],
    ['a discovery as an init', 'chosen', 'response.kind', sub { $hip->on_init(body => { response => { requestId => $hip->callback('discover')->{headers}->header('REQUEST-ID') } }) }, 400],
    ['a discovery of another facility', 'asked', 'hip-id.other', sub { $hip->on_discover(headers => { 'X-HIP-ID' => $OTHER }) }, 400],
    ['an init with the whole number', 'chosen', 'init.hint', sub { $hip->on_init(body => { link => { meta => { communicationHint => '9000000001' } } }) }, 400],
    ['an init with half a number', 'chosen', 'init.hint', sub { $hip->on_init(body => { link => { meta => { communicationHint => 'xxxxx00001' } } }) }, 400],
    ['an init with another number', 'chosen', 'init.hint', sub { $hip->on_init(body => { link => { meta => { communicationHint => 'xxxxxx1234' } } }) }, 400],
    ['an init that is over', 'chosen', 'init.expiry', sub { $hip->on_init(body => { link => { meta => { communicationExpiry => '2026-01-01T00:00:00.000Z' } } }) }, 400],
    ['an init for a day', 'chosen', 'init.expiry', sub { $hip->on_init(body => { link => { meta => { communicationExpiry => iso(Sim::Clock::now() + 86_400) } } }) }, 400],
    ['an init of another word', 'chosen', 'body.shape', sub { $hip->on_init(body => { link => { authenticationType => 'OTP' } }) }, 400],
    ['a confirmation of other contexts', 'typed', 'confirm.contexts', sub { $hip->on_confirm(body => { patient => [$hip->element('OPD-26-0771', 'A-1')] }) }, 400],
    ['a confirmation with hiTypes', 'typed', 'body.shape', sub { $hip->on_confirm(body => one(hiTypes => [])) }, 400],
    ['a share with a number for a text', 'shared', 'body.shape', sub { $hip->on_share(body => { acknowledgement => { profile => { tokenNumber => 17 } } }) }, 400],
    ['a share for another citizen', 'shared', 'share.patient', sub { $hip->on_share(body => { acknowledgement => { abhaAddress => 'ravi.i@sbx' } }) }, 400],
    ['a share for another counter', 'shared', 'share.context', sub { $hip->on_share(body => { acknowledgement => { profile => { context => 'OPD2' } } }) }, 400],
    ['a share without a profile', 'shared', 'share.profile', sub { $hip->on_share(body => { acknowledgement => { profile => undef } }) }, 400],
    ['a share with success and error', 'shared', 'result.both', sub { $hip->on_share(body => { error => { code => 'ABDM-1149', message => 'x' } }) }, 400],
    ['a share that failed without an error', 'shared', 'result.none', sub { $hip->on_share(body => { acknowledgement => { status => 'FAILED' } }) }, 400],
    ['a status answer spelled as V3', 'leaving', 'body.shape', sub { $hip->on_status(body => { acknowledgement => { status => 'OK' } }) }, 400],
    ['a status answer with another requestId', 'leaving', 'envelope.request-id', sub { $hip->on_status(body => { requestId => new_uuid() }) }, 400],
    ['a token for one who has left', 'leaving', 'citizen.gone', sub { $hip->on_status; $hip->generate_token }, 202],
    ['an SMS to nobody', 'asked', 'sms.number', sub { $hip->send_sms('12345', 'OTP 482913') }, 400],
    ['an SMS with a header of ABDM', 'asked', 'sms.header', sub { $hip->send_sms('9000000001', 'OTP 482913', headers => { 'X-HIP-ID' => 'x' }) }, 200],
    ['an SMS with our session', 'asked', 'sms.header', sub { $hip->send_sms('9000000001', 'OTP 482913', headers => { Authorization => 'Bearer ' . $hip->token }) }, 200],
);

subtest 'each deviation is noticed, and only that' => sub {
    for my $row (@DEVIATIONS) {
        my ($name, $stage, $rule, $deviate, $status) = @$row;
        reach($stage);
        is_deeply rules(), [], "$name: the way there is clean" or diag explain $hip->sim('/violations');
        my $res = $deviate->();
        is_deeply rules(), [sort(ref $rule ? @$rule : $rule)], "$name: noticed" or diag explain $hip->sim('/violations');
        is $res->code, $status, "$name: answered $status";
    }
};

subtest 'what must be remembered is noticed too' => sub {
    reach('typed');
    $hip->on_confirm;
    $hip->received([]);
    $hip->sim('/citizens/asha.k@sbx/discover', {%QUICK});
    is $hip->on_discover->code, 400, 'what is linked is not offered again';
    is_deeply rules(), ['discover.linked'], 'noticed';

    my $linking = reach('ready');
    $hip->send_sms('9000000001', 'OTP for linking is 482913');
    $hip->sim("/linkings/$linking->{transaction_id}/confirm", { %QUICK, otp => '111111' });
    is $hip->on_confirm->code, 400, 'a wrong password must not confirm';
    is_deeply rules(), ['confirm.otp'], 'noticed';

    reach('shared');
    $hip->on_share;
    $hip->received([]);
    $hip->sim('/citizens/ravi.i@sbx/share', {%QUICK});
    is $hip->on_share->code, 400, 'a token is one citizen\'s';
    is_deeply rules(), ['share.token-reused'], 'noticed';
    is $hip->on_share(body => { acknowledgement => { profile => { tokenNumber => '18' } } })->code, 202, 'the next one is right';
    $hip->received([]);
    $hip->sim('/citizens/ravi.i@sbx/share', {%QUICK});
    is $hip->on_share(body => { acknowledgement => { profile => { tokenNumber => '19' } } })->code, 400, 'and lasts';
    is_deeply rules(), ['share.token-changed', 'share.token-reused'], 'noticed';

    $linking = reach('ready');
    $hip->sim("/linkings/$linking->{transaction_id}/confirm", { %QUICK, otp => '482913', link_reference => new_uuid() });
    is $hip->on_confirm->code, 400, 'nor an unknown reference';
    is_deeply rules(), ['confirm.reference'], 'noticed';

    $linking = reach('ready');
    my $used = $hip->sim("/linkings/$linking->{transaction_id}/view", {})->{link_reference};
    $hip->received([]);
    $linking = $hip->sim('/citizens/asha.k@sbx/discover', {%QUICK});
    $hip->on_discover;
    $hip->sim("/linkings/$linking->{transaction_id}/init", {%QUICK});
    is $hip->on_init(body => { link => { referenceNumber => $used } })->code, 400, 'a reference is of one linking';
    is_deeply rules(), ['init.reference'], 'noticed';

    reach('asked');
    $hip->sim('/citizens/asha.k@sbx/share', { %QUICK, intent => 'PAYMENT_SHARE' });
    is $hip->on_share->code, 400, 'another intent is no profile share';
    is_deeply rules(), ['share.intent'], 'noticed';
    my %failed = (acknowledgement => { status => 'FAILED', profile => undef }, error => { code => 'ABDM-1149', message => 'not supported' });
    is $hip->on_share(body => \%failed)->code, 202, 'it is refused so';

    $hip->sim('/config', { answer_limit_ms => { discover => 50, init => 50, confirm => 50, share => 50 } });
    for my $row ([asked => 'discover', sub { $hip->on_discover }], [chosen => 'init', sub { $hip->on_init }],
        [typed => 'confirm', sub { $hip->on_confirm }], [shared => 'share', sub { $hip->on_share }]) {
        my ($stage, $kind, $answer) = @$row;
        reach($stage);
        Mojo::IOLoop->timer(0.1 => sub { Mojo::IOLoop->stop });
        Mojo::IOLoop->start;
        my $before = grep { $_ eq "$kind.late" } @{ rules() };
        $answer->();
        ok !$before && grep({ $_ eq "$kind.late" } @{ rules() }), "a late answer is noticed: $kind";
    }
};

$t->finish;
