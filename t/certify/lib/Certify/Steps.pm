package Certify::Steps;

# Steps that several demonstrations share: [words => code] each. A code takes the scene, whose kept() holds
# what goes from step to step: who (the citizen), contexts (references).

use strict;
use warnings;
use feature 'signatures';
use utf8;

use Certify::Scene ();
use Exporter qw(import);

our @EXPORT_OK = qw(auth_in told_patient begun_authentication confirmed_authentication link_by_token listed_and_pulled check_pull conduct);

# The hospital's software tells the module whose ABHA a patient verified.
sub told_patient () {
    return ['The front desk has verified the patient\'s ABHA and tells the module' => sub ($s) {
        my $who = $s->kept->{who} = $s->citizen;
        $s->kept->{contexts} = $who->{visits};
        my $got = $s->api(POST => 'patients', $s->patient_body($who));
        $s->equal($got->{status}, 200, 'the module keeps the patient');
        $s->equal($got->{body}{abhaAddress}, $who->{address}, 'with the ABHA address');
    }];
}

# An authentication by a mode of v0.5, until ABDM waits for the patient.
sub begun_authentication ($mode, $words) {
    return [$words => sub ($s) {
        my $who = $s->kept->{who};
        my $got = $s->api(POST => 'link-auth', { patientReference => $who->{uhid}, mode => $mode });
        $s->equal($got->{status}, 202, 'the module takes the request');
        my $id = $s->kept->{auth} = $got->{body}{id};
        my $shown = auth_in($s, 'WAITING');
        $s->equal($shown->{state}, 'WAITING', 'ABDM has begun, and waits for the patient');
        my ($begun) = reverse @{ $s->t->sim("/citizens/$who->{address}")->{auths} };
        $s->equal($begun->{mode}, $mode, 'in this mode');
        $s->equal($begun->{hip}, $Certify::Scene::FACILITY, 'for this facility');
        return if $mode !~ /OTP\z/;
        $s->check(length($begun->{otp} // ''), 'ABDM has sent an OTP to the patient');
        $s->like($shown->{hint}, qr/(?<!\d)\d{4}\z/, 'the desk is told where to, by the end of the number and no more');
        $s->{mask}->secret(otp => $begun->{otp});
    }];
}

sub auth_in ($s, $state) {
    my $got;
    $s->t->wait_until(sub {
        $got = $s->t->api(GET => "link-auth/$s->{kept}{auth}")->{body};
        ($got->{state} // '') eq $state;
    }, 10);
    return $got;
}

# Wrong OTP, then another authentication with the right one.
sub confirmed_authentication ($mode) {
    return (
        ['The patient says a wrong OTP: there is no token' => sub ($s) {
            my $otp = _otp($s);
            my $got = $s->api(POST => "link-auth/$s->{kept}{auth}/confirm", { otp => $s->other_code($otp) });
            $s->equal($got->{status}, 202, 'the module passes it on');
            my $shown = auth_in($s, 'FAILED');
            $s->equal($shown->{state}, 'FAILED', 'ABDM refuses it, and the authentication has failed');
            $s->check(length($shown->{reason} // ''), 'the desk is told why: ' . $s->canonical($shown->{reason} // ''));
            $s->equal($s->links($s->kept->{who}), [], 'nothing is linked');
        }],
        begun_authentication($mode, 'The authentication is begun anew'),
        ['The patient says the right OTP: the token is there' => sub ($s) {
            my $got = $s->api(POST => "link-auth/$s->{kept}{auth}/confirm", { otp => _otp($s) });
            $s->equal($got->{status}, 202, 'the module passes it on');
            my $shown = auth_in($s, 'GRANTED');
            $s->equal($shown->{state}, 'GRANTED', 'ABDM has confirmed, and the module has its token');
            my $again = $s->api(POST => "link-auth/$s->{kept}{auth}/confirm", { otp => _otp($s) });
            $s->equal($again->{status}, 409, 'the same OTP once more is refused by the module itself');
        }],
    );
}

sub _otp ($s) { return $s->t->sim("/citizens/$s->{kept}{who}{address}")->{otp} }

# Care contexts that go out with the token that is there.
sub link_by_token () {
    return ['The hospital links the visits of the patient with this token' => sub ($s) {
        my ($who, $contexts) = @{ $s->kept }{qw(who contexts)};
        my @told = map { { reference => $_, display => 'Visit', hiTypes => ['Prescription'], date => '2026-03-01' } } @$contexts;
        my $got = $s->api(POST => 'care-contexts', { patientReference => $who->{uhid}, careContexts => \@told });
        $s->equal($got->{status}, 202, 'the module takes them');
        $s->equal($s->context_in($_, 'LINKED')->{state}, 'LINKED', "$_ is") for @$contexts;
        my ($call) = grep { $_->{body}{abhaAddress} eq $who->{address} } @{ $s->t->sim('/calls?path=link/carecontext$')->{calls} };
        $s->check($call && length $call->{headers}{'x-link-token'}, 'the request bore the token');
        my @asked = grep { ($_->{address} // '') eq $who->{address} } @{ $s->t->sim('/tokens')->{tokens} };
        $s->equal(scalar @asked, 0, 'tokens asked for besides');
    }];
}

# The app lists what is linked, pulls it, and has the HMIS's own bytes.
sub listed_and_pulled ($how) {
    return (
        ['The patient\'s app lists the linked visits' => sub ($s) {
            my ($who, $contexts) = @{ $s->kept }{qw(who contexts)};
            my @links = @{ $s->t->sim("/citizens/$who->{address}/links?hip=$Certify::Scene::FACILITY")->{links} };
            $s->equal([sort map { $_->{context} } @links], [sort @$contexts], 'linked');
            $s->equal(scalar(grep { $_->{how} ne $how } @links), 0, "linked otherwise than by the $how");
            $s->equal(scalar(grep { $_->{patient_reference} ne $who->{uhid} } @links), 0, 'links to another patient of the HMIS');
            $s->equal(scalar(grep { $_->{times} != 1 } @links), 0, 'links made more than once');
            $s->note({ links => \@links });
        }],
        ['The app pulls them, decrypts them, and has what the HMIS has' => sub ($s) {
            my ($who, $contexts) = @{ $s->kept }{qw(who contexts)};
            my %self = (detail => { hiu => undef, purpose => { text => 'Self Requested', code => 'PATRQT' } });
            check_pull($s, $s->pull($s->consent($who, $contexts, %self)), $s->papers(@$contexts));
        }],
    );
}

# A transfer that brought these papers of the HMIS, all of them and nothing else.
sub check_pull ($s, $done, @papers) {
    my @pages = @{ $done->{pages} // [] };
    $s->equal($done->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', 'ABDM is told');
    $s->equal(scalar @pages, scalar @papers, 'documents');
    $s->equal(scalar(grep { !$_->{decrypted} } @pages), 0, 'documents that did not open with the requester\'s keys');
    my %held = map { $_ => 1 } map { ($_->{sha256}, map { $_->{sha256} } @{ $_->{attachments} // [] }) } @pages;
    for my $paper (@papers) {
        $s->check($held{ $paper->{sha256} }, "paper $paper->{id} ($paper->{kind}, $paper->{type}): SHA-256 $paper->{sha256} at the HMIS and after decryption");
    }
    $s->note({ received => [map { my $page = $_; +{ map { $_ => $page->{$_} }
        grep { defined $page->{$_} } qw(pageNumber pageCount careContextReference hiType size sha256 attachments decrypted) } } @pages] });
    return;
}

# What holds for every demonstration.
sub conduct () {
    return ['Nothing of it was against the protocol, and the hospital\'s users noticed nothing' => sub ($s) {
        my @seen = $s->violations;
        $s->check(!@seen, @seen ? "ABDM complains: $seen[0]{path}: $seen[0]{rule}: $seen[0]{message}" : 'ABDM has nothing to complain of');
        my $front = $s->t->ua->get($s->t->url . '/hmis/')->result;
        $s->equal($front->code, 200, 'the HMIS answers its users through the same nginx');
    }];
}

1;
