#!/usr/bin/env perl

# Linking that a citizen begins in the app, against real nginx: records are discovered, chosen and
# confirmed with the one-time password, which goes out by the facility's SMS provider or is the HMIS's own.
# Whatever goes wrong links nothing, and the app is told why.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $OTHER  = 'IN0880005678_1';    # sends its one-time passwords itself
my $MINUTE = 60_000;
my @LINES  = ('poll off;', 'deep_link off;', 'discovery_slot 200ms;', 'otp_life 5m;');
my $t      = Test::ABDM->new(clock => 1, sms => 1, lines => \@LINES, others => { $OTHER => { name => 'Second Hospital', lines => \@LINES } });
my $HIP    = $t->{hip};
$t->start;

# A citizen of their own for each story, known to the HMIS by the mobile.
my $last = 100;

sub somebody {
    my $number = sprintf '%05d', $last++;
    $t->canary("98000$number", "91300000$number");
    return { address => "c$number\@sbx", uhid => "UH2$number", mobile => "98000$number", visits => [map { "OPD-S-$number-$_" } 1 .. 3] };
}

sub discover ($who, %wish) { return $t->sim("/citizens/$who->{address}/discover", { hip => $HIP, %wish }) }

sub init ($linking, %wish) { return $t->sim("/linkings/$linking->{transaction_id}/init", \%wish) }

sub confirm ($linking, %wish) { return $t->sim("/linkings/$linking->{transaction_id}/confirm", \%wish) }

sub references ($answer) {
    my %seen = map { $_->{referenceNumber} => 1 } map { @{ $_->{careContexts} } } @{ $answer->{patient} // [] };
    return [sort keys %seen];
}

sub linked ($who, $hip = $HIP) { return [sort map { $_->{context} } @{ $t->sim("/citizens/$who->{address}/links?hip=$hip")->{links} }] }

sub sms ($who) { return $t->sim("/sms?mobile=$who->{mobile}")->{messages} }

sub wrong ($otp) { return sprintf '%06d', ($otp + 1) % 1_000_000 }

sub error_is ($step, $code, $name = "told: $code") {
    return is $step->{answer}{error}{code}, $code, $name;
}

# Up to the OTP; gives the linking and the code of the SMS.
sub begun ($who, %wish) {
    my $found = discover($who, %wish);
    my $got   = init($found);
    ok $got->{init}{answer}{link}, 'a link is begun' or diag explain $got->{init};
    my $message = $t->wait_for(sms => mobile => $who->{mobile});
    return ($got, $message->{code});
}

subtest 'a citizen finds and links all visits with the password of the SMS' => sub {
    my $who   = somebody();
    my $found = discover($who);
    my $answer = $found->{discover}{answer};
    is_deeply references($answer), $who->{visits}, 'all visits are offered';
    is $answer->{patient}[0]{referenceNumber}, $who->{uhid}, 'of this patient';
    is_deeply $answer->{matchedBy}, ['MOBILE'], 'found by the mobile';
    my $got = init($found);
    my $link = $got->{init}{answer}{link};
    is $link->{meta}{communicationMedium}, 'MOBILE', 'a password is asked for';
    is $link->{meta}{communicationHint}, 'xxxxxx' . substr($who->{mobile}, -4), 'the app sees four digits of the mobile';
    my $message = $t->wait_for(sms => mobile => $who->{mobile});
    like $message->{text}, qr/\A\d{6} is your code to link records of Demo Hospital to your ABHA[.] Valid 5 minutes[.]\z/, 'the text as approved';
    is $message->{path}, "/sms/$HIP", 'by the facility\'s own provider';
    is $message->{fields}{DLT_TE_ID}, '1107000000000000001', 'with the template id that DLT wants';
    for my $try (1, 2) {
        error_is(confirm($got, otp => wrong($message->{code}))->{confirm}, 'ABDM-1035', "wrong password, try $try: ABDM-1035");
        is_deeply linked($who), [], 'nothing is linked';
    }
    my $done = confirm($got, otp => $message->{code});
    is_deeply references($done->{confirm}{answer}), $who->{visits}, 'the right one links them';
    is_deeply linked($who), $who->{visits}, 'all of them';
    error_is(discover($who)->{discover}, 'ABDM-1010', 'nothing is left to be discovered');
    is scalar @{ sms($who) }, 1, 'one SMS was sent';
};

subtest 'some of the visits are linked, and the others the next time' => sub {
    my $who = somebody();
    my $found = discover($who);
    my $got = init($found, contexts => [$who->{visits}[1]]);
    confirm($got);
    is_deeply linked($who), [$who->{visits}[1]], 'the one that was chosen';
    is_deeply references(discover($who)->{discover}{answer}), [@{ $who->{visits} }[0, 2]], 'the others are offered';
};

subtest 'three wrong passwords lock the link' => sub {
    my $who = somebody();
    my ($got, $otp) = begun($who);
    error_is(confirm($got, otp => wrong($otp))->{confirm}, 'ABDM-1035') for 1 .. 3;
    error_is(confirm($got, otp => $otp)->{confirm}, 'ABDM-1035', 'the right one comes too late');
    is_deeply [$t->reasons($got->{link_reference})], [('E_OTP_WRONG') x 2, ('E_OTP_LOCKED') x 2], 'abdm explain tells why';
    error_is(init($got)->{init}, 'ABDM-1035', 'this discovery begins no other');
    is scalar @{ sms($who) }, 1, 'nor is there another SMS';
    is_deeply linked($who), [], 'nothing is linked';
    my ($again, $new) = begun($who);
    confirm($again, otp => $new);
    is_deeply linked($who), $who->{visits}, 'a new discovery is a new chance';
};

subtest 'a password has its time' => sub {
    my $who = somebody();
    my ($got, $otp) = begun($who);
    $t->advance(5 * $MINUTE + 1000);
    error_is(confirm($got, otp => $otp)->{confirm}, 'ABDM-1035', 'too late');
    is(($t->reasons($got->{link_reference}))[-1], 'E_OTP_EXPIRED', 'because it expired');
    $t->advance(-2 * $MINUTE);
    my ($next, $other) = begun($who);
    $t->advance(-20 * $MINUTE);
    error_is(confirm($next, otp => $other)->{confirm}, 'ABDM-1035', 'a clock that is set back does not make it live longer');
    $t->advance(22 * $MINUTE);
    is_deeply linked($who), [], 'nothing is linked';
};

subtest 'the same init again: the same password for a minute, then another, at most three' => sub {
    my $who = somebody();
    my ($got, $first) = begun($who);
    my $again = init($got)->{init}{answer}{link};
    is $again->{referenceNumber}, $got->{link_reference}, 'the same link';
    is scalar @{ sms($who) }, 1, 'and no other SMS';
    for my $sent (2, 3) {
        $t->advance($MINUTE + 1000);
        is init($got)->{init}{answer}{link}{referenceNumber}, $got->{link_reference}, 'after a minute: the same link';
        is $t->wait_for(sms => mobile => $who->{mobile}, count => $sent)->{count}, $sent, "with SMS $sent";
    }
    $t->advance($MINUTE + 1000);
    error_is(init($got)->{init}, 'ABDM-1004', 'a fourth is not sent');
    my ($old, $newest) = map { $_->{code} } @{ sms($who) }[1, 2];
    error_is(confirm($got, otp => $old)->{confirm}, 'ABDM-1035', 'an older password is a wrong one') if $old ne $newest;
    confirm($got, otp => $newest);
    is_deeply linked($who), $who->{visits}, 'the newest one links';
};

subtest 'other contexts are another link' => sub {
    my $who = somebody();
    my $found = discover($who);
    my $one = init($found, contexts => [$who->{visits}[0]]);
    my $old = $t->wait_for(sms => mobile => $who->{mobile})->{code};
    my $two = init($found, contexts => [@{ $who->{visits} }[1, 2]]);
    isnt $two->{link_reference}, $one->{link_reference}, 'with a reference of its own';
    my $new = $t->wait_for(sms => mobile => $who->{mobile}, count => 2)->{code};
    error_is(confirm($found, otp => $old, link_reference => $one->{link_reference})->{confirm}, 'ABDM-1056', 'the first is given up');
    confirm($found, otp => $new, link_reference => $two->{link_reference});
    is_deeply linked($who), [@{ $who->{visits} }[1, 2]], 'the second links what it names';
};

subtest 'what was not offered cannot be linked' => sub {
    my ($who, $other) = (somebody(), somebody());
    my $found = discover($who);
    my $element = sub ($uhid, @references) {
        return { patient => [{ referenceNumber => $uhid, hiType => 'Prescription', count => scalar @references,
            careContexts => [map { +{ referenceNumber => $_ } } @references] }] };
    };
    my @bad = (
        ['a visit of somebody else' => 'ABDM-1057', body => $element->($who->{uhid}, $other->{visits}[0])],
        ['one of them of somebody else' => 'ABDM-1057', body => $element->($who->{uhid}, $who->{visits}[0], $other->{visits}[0])],
        ['another patient' => 'ABDM-1057', body => $element->($other->{uhid}, $who->{visits}[0])],
        ['another citizen' => 'ABDM-1017', body => { abhaAddress => $other->{address} }],
    );
    for my $bad (@bad) {
        my ($name, $code, %wish) = @$bad;
        error_is(init($found, %wish)->{init}, $code, "$name: $code");
    }
    my $sent = $t->sim('/callback', { path => '/api/v3/hip/link/care-context/init', hip => $HIP, body => {
        %{ $element->($who->{uhid}, $who->{visits}[0]) }, abhaAddress => $who->{address}, transactionId => '00000000-0000-4000-8000-000000000000' } });
    is $t->wait_for(answer => request_id => $sent->{request_id})->{body}{error}{code}, 'ABDM-1017', 'an unknown transaction: ABDM-1017';
    is_deeply sms($who), [], 'no SMS was sent';
};

subtest 'a provider that is down: the app is told, and a new try works' => sub {
    my $who = somebody();
    my $found = discover($who);
    $t->sim('/faults', { path => '^/sms/', action => 'status', status => 200, body => { status => 'error' } });
    error_is(init($found)->{init}, 'ABDM-1004', 'it says 200 and means no: ABDM-1004');
    $t->sim_delete('/faults');
    $t->sim('/faults', { path => '^/sms/', action => 'status', status => 503, count => 1 });
    ok init($found)->{init}{answer}{link}, 'a 503 is tried again in time';
    $t->sim_delete('/faults');
    confirm($found);
    is_deeply linked($who), $who->{visits}, 'and the link is made';
};

subtest 'the HMIS sends the password where there is no provider' => sub {
    my $who = somebody();
    my $got = init(discover($who, hip => $OTHER));
    ok $got->{init}{answer}{link}, 'a link is begun' or diag explain $got->{init};
    my ($otp) = grep { $_->{uhid} eq $who->{uhid} } @{ $t->hmis('/_test/otps', undef, $OTHER)->{otps} };
    is $otp->{phone}, $who->{mobile}, 'to the verified mobile';
    is_deeply sms($who), [], 'and nothing by our own';
    error_is(confirm($got, otp => wrong($otp->{code}))->{confirm}, 'ABDM-1035', 'a wrong one');
    $t->hmis('/_test/fault', { path => '^/api/otp/check', action => 'garbage', count => 1 }, $OTHER);
    error_is(confirm($got, otp => $otp->{code})->{confirm}, 'ABDM-1024', 'an HMIS that talks nonsense confirms nothing');
    $t->hmis('/_test/clear', {}, $OTHER);
    is_deeply linked($who, $OTHER), [], 'nothing is linked';
    confirm($got, otp => $otp->{code});
    is_deeply linked($who, $OTHER), $who->{visits}, 'the right one links';
    my $told = $t->wait_until(sub { (grep { $_->{what} eq 'linked' } @{ $t->hmis('/_test/events', undef, $OTHER)->{events} })[0] });
    is $told->{ids}{patientRef}, $who->{uhid}, 'the HMIS is told';
};

subtest 'an HMIS that sends none: the app is told' => sub {
    my $who = somebody();
    my $found = discover($who, hip => $OTHER);
    $t->hmis('/_test/fault', { path => '^/api/otp', action => 'status', status => 404 }, $OTHER);
    my $told = init($found)->{init};
    ok $told->{answer}{error}, 'an error in time' or diag explain $told;
    $t->hmis('/_test/clear', {}, $OTHER);
};

subtest 'a confirmation repeated by the app is answered again and links nothing twice' => sub {
    my $who = somebody();
    my ($got, $otp) = begun($who);
    confirm($got, otp => $otp);
    is_deeply references(confirm($got, otp => $otp)->{confirm}{answer}), $who->{visits}, 'the same answer';
    my @links = @{ $t->sim("/citizens/$who->{address}/links")->{links} };
    is_deeply linked($who), $who->{visits}, 'the same links';
    error_is(confirm($got, otp => wrong($otp))->{confirm}, 'ABDM-1056', 'with another password it is over');
};

subtest 'an answer that the gateway does not take leaves nothing linked' => sub {
    my $who = somebody();
    my ($got, $otp) = begun($who);
    $t->sim('/faults', { path => 'on-confirm$', action => 'status', status => 400, body => { error => { code => 'ABDM-1111', message => 'no' } }, count => 1 });
    confirm($got, otp => $otp, answer_timeout_ms => 1500);
    $t->sim_delete('/faults');
    ok $t->wait_until(sub { $t->api(GET => "care-contexts/$who->{visits}[0]", undef, 'X-HIP-ID' => $HIP)->{body}{state} eq 'NONE' }),
        'the visits are free again';
    is_deeply references(discover($who)->{discover}{answer}), $who->{visits}, 'and are offered again';
};

subtest 'linked at one facility, free at the other' => sub {
    my $who = somebody();
    my ($got, $otp) = begun($who);
    confirm($got, otp => $otp);
    is_deeply references(discover($who, hip => $OTHER)->{discover}{answer}), $who->{visits}, 'the other has its own';
};

$t->no_violations;
$t->finish;
