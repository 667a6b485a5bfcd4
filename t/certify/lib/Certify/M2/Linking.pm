package Certify::M2::Linking;

# Linking that the hospital begins, by each of the four methods, and the deep link for whom no ABHA is known.

use strict;
use warnings;
use feature 'signatures';
use utf8;

use Certify::Scene ();
use Certify::Steps qw(auth_in told_patient begun_authentication confirmed_authentication link_by_token listed_and_pulled);
use Mojo::JSON ();

my %BEGUN = (
    MOBILE_OTP  => 'Linking is begun with an OTP to the patient\'s mobile',
    AADHAAR_OTP => 'Linking is begun with an OTP to the mobile of the patient\'s Aadhaar',
    DIRECT      => 'Linking is begun: the patient is asked in the app',
);

sub demonstrations {
    return (
        _by_otp(201 => 203 => 205 => 'MOBILE_OTP'), _by_otp(301 => 303 => 305 => 'AADHAAR_OTP'),
        HIP_INTI_LINK_401 => [_asked_in_app(), approved(), _asked_in_app('A second patient: '), _rejected()],
        HIP_INTI_LINK_404 => [_asked_in_app(), approved(), link_by_token(), listed_and_pulled('hip')],
        HIP_INTI_LINK_501 => [_abha_in_books(), _new_visit(), _demographics_sent()],
        HIP_INTI_LINK_503 => [_abha_in_books(), _new_visit(), _token_came(), _wrong_books()],
        HIP_INTI_LINK_505 => [_abha_in_books(), _new_visit(), _linked_by_itself(), listed_and_pulled('hip')],
        HIP_INIT_NOTIFY_HIECM => [_deep_link(), _found_by_app(), _told_once(), _quiet_hours(), _no_mobile()],
    );
}

sub _by_otp ($begin, $confirm, $linked, $mode) {
    my @begun = (told_patient(), begun_authentication($mode, $BEGUN{$mode}));
    return (
        "HIP_INTI_LINK_$begin"   => [@begun, _not_without_abha($mode)],
        "HIP_INTI_LINK_$confirm" => [@begun, confirmed_authentication($mode)],
        "HIP_INTI_LINK_$linked"  => [@begun, confirmed_authentication($mode), link_by_token(), listed_and_pulled('hip')],
    );
}

sub _not_without_abha ($mode) {
    return ['For a patient whose ABHA address is not known nothing is begun' => sub ($s) {
        my $who  = $s->citizen;
        my $body = $s->patient_body($who);
        delete @$body{qw(abhaAddress abhaNumber)};
        $s->api(POST => 'patients', $body);
        my $got = $s->api(POST => 'link-auth', { patientReference => $who->{uhid}, mode => $mode });
        $s->equal($got->{body}{error}{code}, 'E_ABHA_NONE', 'the module says');
        $s->equal(scalar @{ $s->t->sim("/citizens/$who->{address}")->{auths} }, 0, 'authentications at ABDM');
    }];
}

# ---- in the app -----------------------------------------------------------------------------------

sub _asked_in_app ($whose = '') {
    my ($words, $told) = @{ told_patient() };
    return ([$whose . ($whose ? lcfirst $words : $words) => $told],
        begun_authentication(DIRECT => $BEGUN{DIRECT}));
}

sub approved () {
    return ['The patient agrees in the app: the token is there' => sub ($s) {
        my $waiting = $s->api(POST => "link-auth/$s->{kept}{auth}/confirm", { otp => '000000' });
        $s->equal($waiting->{status}, 409, 'the desk cannot confirm in the patient\'s place');
        $s->act($s->kept->{who}, 'auth', grant => Mojo::JSON::true);
        my $shown = auth_in($s, 'GRANTED');
        $s->equal($shown->{state}, 'GRANTED', 'the authentication is');
        my $told = $s->t->wait_until(sub { grep { $_->{acknowledged} } @{ $s->t->sim("/citizens/$s->{kept}{who}{address}")->{auths} } });
        $s->check($told, 'and the module has acknowledged it to ABDM');
    }];
}

sub _rejected () {
    return ['The patient rejects it in the app: there is no token, and nothing is linked' => sub ($s) {
        my $who = $s->kept->{who};
        $s->act($who, 'auth', grant => Mojo::JSON::false);
        my $shown = auth_in($s, 'FAILED');
        $s->equal($shown->{state}, 'FAILED', 'the authentication is');
        $s->like($s->canonical($shown->{reason}), qr/DENIED/, 'because of');
        $s->equal($s->links($who), [], 'linked');
    }];
}

# ---- by the patient's data ------------------------------------------------------------------------

# Nobody calls the module here: the HMIS's own screens are all that is used.
sub _abha_in_books () {
    return ['The front desk enters the patient\'s verified ABHA into the HMIS, as it would any number' => sub ($s) {
        my $who = $s->kept->{who} = $s->citizen;
        my $entered = $s->t->hmis("/api/patients/$who->{uhid}/abha", { abha => $who->{number}, abha_address => $who->{address} });
        $s->equal($entered->{abha_address}, $who->{address}, 'in the books');
        $s->equal($s->t->api(GET => "patients/$who->{uhid}")->{status}, 404, 'the module knows nothing of the patient yet');
    }];
}

sub _new_visit () {
    return ['The patient has a visit, which is entered into the HMIS' => sub ($s) {
        my $visit = $s->new_visit(uhid => $s->kept->{who}{uhid});
        $s->kept->{contexts} = [$visit->{no}];
        my $context = $s->context_in($visit->{no}, 'LINKED');
        $s->equal($context->{reference}, $visit->{no}, 'the module has noticed it by itself');
    }];
}

sub _asked ($s) {
    my ($call) = grep { ($_->{body}{abhaAddress} // '') eq $s->kept->{who}{address} } @{ $s->t->sim('/calls?path=generate-token$')->{calls} };
    return $call;
}

sub _demographics_sent () {
    return ['The patient\'s data went to ABDM as the hospital has them' => sub ($s) {
        my $who  = $s->kept->{who};
        my $call = _asked($s);
        $s->check($call, 'a link token was asked for') or return;
        my $said  = $call->{body};
        my $books = $s->t->hmis("/api/patients/$who->{uhid}");
        $s->equal($call->{headers}{'x-hip-id'}, $Certify::Scene::FACILITY, 'for this facility');
        $s->equal($said->{name}, "$books->{first} $books->{last}", 'name');
        $s->equal($said->{gender}, $books->{sex}, 'gender');
        $s->check($said->{yearOfBirth} == substr($books->{dob}, -4), 'year of birth as in the books');
        $s->equal($said->{abhaNumber}, $books->{abha}, 'ABHA number');
        $s->equal($said->{abhaAddress}, $books->{abha_address}, 'ABHA address');
        $s->equal($call->{status}, 202, 'ABDM takes it with');
    }];
}

sub _token_came () {
    return ['The data are those of the ABHA: ABDM gives the token' => sub ($s) {
        my $call = _asked($s);
        $s->check($call, 'a link token was asked for') or return;
        my ($answer) = grep { ($_->{body}{response}{requestId} // '') eq $call->{headers}{'request-id'} }
            @{ $s->t->sim('/sent?path=on-generate-token$')->{sent} };
        $s->check(length($answer->{body}{linkToken} // ''), 'in its callback');
        $s->equal($answer->{status}, 202, 'which the module takes with');
        $s->equal($s->context_in($s->kept->{contexts}[0], 'LINKED')->{state}, 'LINKED', 'the visit is');
        my ($again) = $s->new_visit(uhid => $s->kept->{who}{uhid})->{no};
        $s->equal($s->context_in($again, 'LINKED')->{state}, 'LINKED', 'the next visit is');
        my @asked = grep { ($_->{address} // '') eq $s->kept->{who}{address} } @{ $s->t->sim('/tokens')->{tokens} };
        $s->equal(scalar @asked, 1, 'tokens asked for, as the token is kept and used again');
    }];
}

sub _wrong_books () {
    return ['Another patient, whose year of birth is wrong in the books: ABDM refuses, nothing is linked' => sub ($s) {
        my $who = $s->kept->{who} = $s->citizen;
        $s->t->hmis('/_test/patients', { uhid => $who->{uhid}, dob => '01-01-1931', abha => $who->{number}, abha_address => $who->{address} });
        my $no = $s->new_visit(uhid => $who->{uhid})->{no};
        my $context = $s->context_in($no, 'FAILED');
        $s->equal($context->{state}, 'FAILED', 'the visit is');
        $s->like($s->canonical($context->{reason}), qr/1036/, 'the reason that is kept');
        my ($asked) = grep { ($_->{address} // '') eq $who->{address} } @{ $s->t->sim('/tokens')->{tokens} };
        $s->equal($asked->{error}, 'ABDM-1036', 'ABDM\'s callback said');
        $s->equal($s->links($who), [], 'linked');
    }];
}

sub _linked_by_itself () {
    return ['The data agree, the token comes, and the visit is linked by itself' => sub ($s) {
        my ($no) = @{ $s->kept->{contexts} };
        my $context = $s->context_in($no, 'LINKED');
        $s->equal($context->{state}, 'LINKED', 'the visit is');
        my ($call) = grep { $_->{body}{abhaAddress} eq $s->kept->{who}{address} } @{ $s->t->sim('/calls?path=link/carecontext$')->{calls} };
        $s->check($call && length $call->{headers}{'x-link-token'}, 'with the link token');
    }];
}

# ---- the deep link --------------------------------------------------------------------------------

sub _messages ($s, $who) { return scalar @{ $s->t->sim("/deep-links?mobile=$who->{mobile}")->{messages} } }

sub _deep_link () {
    return ['A patient without a known ABHA has a visit: ABDM is asked for the SMS, and the patient has it' => sub ($s) {
        my $who   = $s->kept->{who} = $s->citizen;
        my $books = $s->t->hmis("/api/patients/$who->{uhid}");
        $s->equal($books->{abha} . $books->{abha_address}, '', 'ABHA in the books');
        my $visit = $s->kept->{visit} = $s->new_visit(uhid => $who->{uhid});
        my $sms   = $s->t->wait_for(deep_link => mobile => $who->{mobile}) // {};
        $s->like($sms->{text}, qr/hip-id=\Q$Certify::Scene::FACILITY\E/, 'the SMS leads to this facility');
        my $context;
        $s->t->wait_until(sub { $context = $s->context($visit->{no}); $context->{sms} eq 'SENT' });
        $s->equal($context->{sms}, 'SENT', 'the module has it as');
        $s->equal($context->{state}, 'NONE', 'and as a link it is');
        $s->note({ inbox => $sms });
    }];
}

sub _found_by_app () {
    return ['The patient follows the link, and the app discovers the visit' => sub ($s) {
        my ($who, $visit) = @{ $s->kept }{qw(who visit)};
        my $answer = $s->act($who, 'discover')->{discover}{answer} // {};
        my @found  = @{ $s->references($answer) };
        $s->check(scalar(grep { $_ eq $visit->{no} } @found), "$visit->{no} is among what is offered: @found");
        $s->equal($answer->{patient}[0]{referenceNumber}, $who->{uhid}, 'of this patient');
    }];
}

sub _told_once () {
    return ['The visit is changed in the HMIS: there is no second SMS' => sub ($s) {
        my ($who, $visit) = @{ $s->kept }{qw(who visit)};
        $s->new_visit(no => $visit->{no}, date => $visit->{date}, kinds => ['Prescription', 'Lab report']);
        my $wanted = 'DiagnosticReport';
        $s->check($s->t->wait_until(sub { grep { $_ eq $wanted } @{ $s->context($visit->{no})->{hiTypes} } }), 'the module has noticed the change');
        $s->equal(_messages($s, $who), 1, 'SMS to the patient');
    }];
}

sub _quiet_hours () {
    return ['A visit is entered at 22:00: the SMS waits for the morning' => sub ($s) {
        my $who = $s->citizen;
        $s->to_minute(22 * 60);
        my $no = $s->new_visit(uhid => $who->{uhid})->{no};
        $s->check($s->t->wait_until(sub { ($s->context($no)->{sms} // '') eq 'DUE' }), 'the module knows of it, and waits');
        $s->equal(_messages($s, $who), 0, 'SMS at night');
        $s->to_minute(8 * 60);
        $s->check($s->t->wait_for(deep_link => mobile => $who->{mobile}), 'after 08:00 it is sent');
        $s->to_minute(12 * 60);
    }];
}

sub _no_mobile () {
    return ['A patient without a mobile has a visit: nobody is told' => sub ($s) {
        my $who    = $s->citizen;
        my $before = $s->t->sim('/deep-links')->{count};
        $s->t->hmis('/_test/patients', { uhid => $who->{uhid}, phone => '' });
        my $no = $s->new_visit(uhid => $who->{uhid})->{no};
        my $context;
        $s->t->wait_until(sub { $context = $s->context($no); defined $context->{sms} });
        $s->equal($context->{sms}, 'NONE', 'the module keeps the visit, and its SMS is');
        $s->equal($s->t->sim('/deep-links')->{count}, $before, 'messages of ABDM in all, as before');
    }];
}

1;
