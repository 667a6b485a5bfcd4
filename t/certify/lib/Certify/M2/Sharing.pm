package Certify::M2::Sharing;

# Records, and what a consent allows: documents of every HI type, consents kept and removed, patients who
# leave ABDM, and data that go out as far as they may and no further.

use strict;
use warnings;
use feature 'signatures';
use utf8;

use Certify::Scene ();
use Certify::Steps qw(told_patient check_pull);
use Cpanel::JSON::XS ();
use Encode qw(encode_utf8);
use Mojo::JSON ();
use Sim::Clock ();
use Test::ABDM;
use Test::Profiles ();

my $JSON     = Cpanel::JSON::XS->new->utf8->canonical;
my @HI_TYPES = qw(OPConsultation Prescription DischargeSummary DiagnosticReport ImmunizationRecord HealthDocumentRecord
    WellnessRecord Invoice);
my $HOUR     = 3600;
my $LIMIT    = 2 * $HOUR;

sub demonstrations {
    return (
        Health_RECORD_CREATION_101      => [_documents(), _invoice(), _all_conform(), _broken_document(), _wrong_patient()],
        HIP_INIT_GRANT_CONSENT          => [_granted(), _not_ours(), _not_abdm()],
        HIP_INIT_REVOKE_CONSENT         => [_granted(), _served(), _revoked(), _not_revived()],
        HIP_INIT_EXPIRE_CONSENT         => [_granted(600), _served(), _expired_by_clock(), _expired_by_notice()],
        HIP_INIT_ABHA_OPTOUT_DEACTIVATE => [_has_it_all(), _left('DEACTIVATED'), _hmis_untouched(), _nothing_any_more(), _back_again(),
            _has_it_all('A second patient: '), _left('DELETED'), _hmis_untouched()],
        HIP_INIT_SHARE_CARECONTEXT      => [_only_allowed(), _beyond_range(), _foreign_requester(), _deadline()],
    );
}

# What the store has of a consent; nothing when it is not there.
sub explained ($s, $consent) { return (($s->t->explain($consent->{consent_id}) // {})->{consent} // [])->[0] }

# ---- documents ------------------------------------------------------------------------------------

sub _documents () {
    return ['What the HMIS has of two patients arrives at a requester as FHIR documents' => sub ($s) {
        my %of = ('asha.k@sbx' => ['OPD-25-3107', 'IPD-25-0092', 'OPD-26-0771', 'OPD-26-0815'], 'farida.b@sbx' => ['OPD-25-1203', 'OPD-26-0655']);
        for my $address (sort keys %of) {
            my $who  = $s->meet($address);
            my $done = $s->pull($s->consent($who, $of{$address}));
            $s->equal($done->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', 'ABDM is told');
            for my $page (@{ $done->{pages} }) {
                push @{ $s->kept->{document}{ $page->{hiType} } }, encode_utf8($page->{text});
                $s->note({ document => { map { $_ => $page->{$_} } qw(hiType careContextReference size sha256) } });
            }
        }
        my @missing = grep { $_ ne 'Invoice' && !$s->kept->{document}{$_} } @HI_TYPES;
        $s->equal(\@missing, [], 'HI types of the facility without a document');
    }];
}

# The demo hospital keeps its bills as PDF, which says nothing of amounts.
sub _invoice () {
    return ['An invoice of a patient and visit of the HMIS, with the amounts of a sample, is built by abdm fhir build' => sub ($s) {
        my $visit   = $s->t->hmis('/api/visits/IPD-25-0092');
        my $patient = $visit->{patient};
        my $record  = $JSON->decode(_slurp(Test::ABDM->root . '/t/records/inv_typical.json'));
        my ($day, $month, $year) = split /-/, substr $visit->{date}, 0, 10;
        %{ $record->{patient} } = (%{ $record->{patient} }, patientReference => $patient->{uhid}, name => "$patient->{first} $patient->{last}");
        $record->{careContextReference} = $visit->{no};
        $record->{authoredOn}           = "$year-$month-${day}T12:00:00+05:30";
        my $path = $s->t->write_file('invoice.json', $JSON->encode($record));
        my ($status, $document, $complaint) = $s->t->abdm(qw(fhir build --type Invoice), $path);
        $s->equal($status, 0, 'it is built, with status') or $s->note($complaint);
        push @{ $s->kept->{document}{Invoice} }, $document;
    }];
}

sub _slurp ($path) {
    open my $file, '<:raw', $path or die "$path: $!\n";
    my $bytes = do { local $/ = undef; <$file> };
    close $file or die "$path: $!\n";
    return $bytes;
}

sub _all_conform () {
    return ['Every document conforms to its NRCeS profile' => sub ($s) {
        my @paths;
        for my $type (@HI_TYPES) {
            my @documents = @{ $s->kept->{document}{$type} // [] };
            my @bad;
            for my $n (0 .. $#documents) {
                my $path = $s->t->write_file("document.$type.$n.json", $documents[$n]);
                my ($status, $said) = $s->t->abdm(qw(fhir check), $path);
                push @bad, $said if $status;
                push @paths, $path;
            }
            $s->check(@documents && !@bad, "$type: " . @documents . ' checked by abdm fhir check, ' . @bad . ' with findings');
        }
        _independent_check($s, @paths);
    }];
}

# The checker of others, where it is installed.
sub _independent_check ($s, @paths) {
    my $root = Test::ABDM->root;
    my $node = grep { -x "$_/node" } split /:/, $ENV{PATH};
    if (!$node || !-e "$root/build/validator/val_nrces.mjs") {
        $s->note('The independent profile checker is not installed here: abdm fhir check alone has judged.');
        return;
    }
    my ($status, $output, $passed) = Test::Profiles::check_profiles($root, @paths);
    $s->check($status == 0 && $passed == @paths, "independent checker (NRCeS 6.5.0, strict): $passed of " . @paths . ' pass');
    return;
}

sub _broken_document () {
    return ['A document without its patient is found wanting' => sub ($s) {
        my $bundle = $JSON->decode($s->kept->{document}{Prescription}[0]);
        $bundle->{entry} = [grep { $_->{resource}{resourceType} ne 'Patient' } @{ $bundle->{entry} }];
        my $path = $s->t->write_file('broken.json', $JSON->encode($bundle));
        my ($status, $said) = $s->t->abdm(qw(fhir check), $path);
        $s->equal($status, 1, 'status of abdm fhir check');
        my ($first) = $said =~ /(F_\w+)/;
        $s->check(defined $first, 'and it says why: ' . ($first // $said));
    }];
}

sub _wrong_patient () {
    return ['The HMIS gives the record of another patient: no document of it leaves' => sub ($s) {
        $s->t->hmis('/_test/fault', { path => '^/api/visits/OPD-25-3107', action => 'wrong_patient', count => 1 });
        my $done = $s->pull($s->consent($s->meet('asha.k@sbx'), ['OPD-25-3107']));
        $s->t->hmis('/_test/clear', {});
        $s->equal($done->{notify}{statusNotification}{sessionStatus}, 'FAILED', 'ABDM is told');
        $s->equal(scalar @{ $done->{pages} }, 0, 'documents sent');
    }];
}

# ---- consents -------------------------------------------------------------------------------------

sub _granted ($seconds = 30 * 24 * $HOUR) {
    return ['The patient grants a consent: it is stored and acknowledged' => sub ($s) {
        my $who = $s->kept->{who} = $s->citizen;
        my %end = (erase_at => Sim::Clock::iso($s->t->now + $seconds));
        my $consent = $s->kept->{consent} = $s->consent($who, $who->{visits}, hi_types => ['Prescription'], %end);
        $s->equal($consent->{sent}{status}, 202, 'the notification is answered');
        my ($ack) = @{ $s->t->sim("/consents/$consent->{consent_id}")->{acks} };
        $s->equal($ack->{body}{acknowledgement}{status}, 'OK', 'and acknowledged');
        my $kept = explained($s, $consent) // {};
        $s->equal($kept->{status}, 'GRANTED', 'in the store it is');
        $s->equal($kept->{hiTypes}, ['Prescription'], 'for these HI types');
        $s->check(index($s->canonical($kept), $end{erase_at}) >= 0, 'until the time that the patient set');
        $s->note({ stored => $kept });
    }];
}

sub _not_ours () {
    return ['A consent that names another facility is refused, and not stored' => sub ($s) {
        my $other = $s->consent($s->kept->{who}, ['OPD-26-0771'], detail => { hip => { id => 'IN0770009999_1' } });
        my ($ack) = @{ $s->t->sim("/consents/$other->{consent_id}")->{acks} };
        $s->check($ack && $ack->{body}{error}, 'ABDM is told: ' . $s->canonical($ack ? $ack->{body}{error} : undef));
        $s->check(!explained($s, $other), 'and nothing is in the store');
        my $asked = $s->refused_pull($other);
        $s->check($asked->{refused}, 'a request with it is refused: ' . $s->canonical($asked->{refused}));
    }];
}

sub _not_abdm () {
    return ['A consent from anybody but ABDM is not even looked at' => sub ($s) {
        for my $row (['without a token', Mojo::JSON::false()], ['with a token of our own', { own => 1 }], ['with an expired one', { expired_by => 2 * $HOUR }]) {
            my ($how, $token) = @$row;
            my $forged = $s->t->grant(patient => $s->kept->{who}{address}, notify => { token => $token });
            $s->equal($forged->{sent}{status}, 401, "$how: answered");
            $s->check(!explained($s, $forged), 'and nothing is in the store');
        }
    }];
}

sub _served () {
    return ['While it is granted, a request is served' => sub ($s) {
        my ($who, $consent) = @{ $s->kept }{qw(who consent)};
        check_pull($s, $s->pull($consent), $s->papers(@{ $who->{visits} }));
    }];
}

sub _removed ($s, $status) {
    my $kept = explained($s, $s->kept->{consent}) // {};
    $s->equal($kept->{status}, $status, 'in the store there is only');
    $s->equal($kept->{hiTypes}, [], 'of its HI types');
    $s->equal([grep { defined $kept->{$_} } qw(requester from to)], [], 'of requester and months');
    $s->note({ stored => $kept });
    return;
}

sub _refused_for ($s, $code, $words = 'a request is refused') {
    my $consent = $s->kept->{consent};
    my $asked   = $s->refused_pull($consent);
    $s->check($asked->{refused}, "$words: " . $s->canonical($asked->{refused}));
    $s->equal(($s->t->reasons($asked->{transaction_id}))[-1], $code, 'because of');
    $s->equal(scalar @{ $asked->{pages} // [] }, 0, 'documents sent');
    return;
}

sub _revoked () {
    return ['The patient revokes it: it is removed, and a request is refused' => sub ($s) {
        my $consent = $s->kept->{consent};
        my $told    = $s->t->announce($consent, 'REVOKED');
        $s->equal($told->{status}, 202, 'the notification is answered');
        my $acked = $s->t->wait_for(ack => consent => $consent->{consent_id}, count => 2);
        $s->equal($acked->{acks}[1]{body}{acknowledgement}{status}, 'OK', 'and acknowledged');
        _removed($s, 'REVOKED');
        _refused_for($s, 'E_CONSENT_REVOKED');
    }];
}

sub _not_revived () {
    return ['The grant comes once more, late: it stays revoked' => sub ($s) {
        my $consent = $s->kept->{consent};
        $s->t->announce($consent, 'GRANTED');
        $s->t->wait_for(ack => consent => $consent->{consent_id}, count => 3);
        _removed($s, 'REVOKED');
        _refused_for($s, 'E_CONSENT_REVOKED');
    }];
}

sub _expired_by_clock () {
    return ['Its time ends, and nobody says so: a request is refused all the same' => sub ($s) {
        $s->later(601);
        _refused_for($s, 'E_CONSENT_EXPIRED');
    }];
}

sub _expired_by_notice () {
    return ['ABDM tells that it has expired: it is removed, and a request is refused' => sub ($s) {
        my $consent = $s->kept->{consent};
        $s->t->announce($consent, 'EXPIRED');
        my $acked = $s->t->wait_for(ack => consent => $consent->{consent_id}, count => 2);
        $s->equal($acked->{acks}[1]{body}{acknowledgement}{status}, 'OK', 'acknowledged');
        _removed($s, 'EXPIRED');
        _refused_for($s, 'E_CONSENT_EXPIRED');
    }];
}

# ---- a patient leaves -----------------------------------------------------------------------------

sub _has_it_all ($whose = '') {
    my (undef, $told) = @{ told_patient() };
    return ["${whose}ABHA known, visits linked, a consent granted" => sub ($s) {
        $told->($s);
        my $who = $s->kept->{who};
        my @told = map { { reference => $_, display => 'Visit', hiTypes => ['Prescription'] } } @{ $who->{visits} };
        $s->api(POST => 'care-contexts', { patientReference => $who->{uhid}, careContexts => \@told });
        $s->equal($s->context_in($_, 'LINKED')->{state}, 'LINKED', "$_ is") for @{ $who->{visits} };
        $s->kept->{consent} = $s->consent($who, $who->{visits});
        $s->equal(explained($s, $s->kept->{consent})->{status}, 'GRANTED', 'the consent is');
        $s->kept->{books} = _books($s, $who);
    }];
}

# All that the HMIS has of a patient, as one text.
sub _books ($s, $who) {
    return join ' ', map { $s->canonical($s->t->hmis("/api/patients/$who->{uhid}$_")) } '', '/visits';
}

sub _left ($status) {
    return ["ABDM tells that the ABHA is $status: ABHA, links and consents are gone from the module" => sub ($s) {
        my $who  = $s->kept->{who};
        my $step = $s->act($who, 'status', status => $status);
        $s->equal($step->{status}, 202, 'the notification is answered');
        $s->check($step->{answer}{acknowledgment}, 'and acknowledged');
        my $row = $s->api(GET => "patients/$who->{uhid}")->{body};
        $s->equal([grep { defined $row->{$_} } qw(abhaAddress abhaNumber)], [], 'of the ABHA there is in the patient\'s row');
        $s->equal($s->t->api(GET => "patients?abhaAddress=$who->{address}")->{status}, 404, 'nobody holds the address');
        $s->equal([map { $_->{reference} } @{ $s->api(GET => "care-contexts?patient=$who->{uhid}")->{body}{careContexts} }], [], 'care contexts');
        _removed($s, 'REVOKED');
        _refused_for($s, 'E_CONSENT_REVOKED');
    }];
}

sub _hmis_untouched () {
    return ['The HMIS and its records are as before' => sub ($s) {
        $s->check(_books($s, $s->kept->{who}) eq $s->kept->{books}, 'the patient\'s file and visits in the HMIS are the same, byte for byte');
    }];
}

sub _nothing_any_more () {
    return ['Nothing can be linked for this ABHA any more, and it is not found' => sub ($s) {
        my $who = $s->kept->{who};
        my $got = $s->api(POST => 'care-contexts', { patient => $s->patient_body($who),
            careContexts => [{ reference => $who->{visits}[0], display => 'Visit', hiTypes => ['Prescription'] }] });
        my $context = $s->t->api(GET => "care-contexts/$who->{visits}[0]")->{body};
        $s->check($got->{status} != 202 || $context->{state} ne 'LINKED', 'the hospital\'s wish is not carried out: ' . $s->canonical($got->{body}));
        my $asked = $s->api(POST => "care-contexts/$who->{visits}[0]/link");
        $s->check($asked->{status} >= 400, "nor when it insists: $asked->{status} " . ($asked->{body}{error}{code} // ''));
        my @sent = grep { $s->canonical($_->{body}) =~ /\Q$who->{address}\E/ }
            @{ $s->t->sim("/calls?path=generate-token|carecontext&after=$s->{marks}{n}")->{calls} };
        $s->equal(scalar @sent, 0, 'requests to ABDM for this ABHA');
    }];
}

sub _back_again () {
    return ['ABDM tells that the ABHA is active again: the consent stays gone, and linking works' => sub ($s) {
        my $who = $s->kept->{who};
        $s->act($who, 'status', status => 'REACTIVATED');
        _removed($s, 'REVOKED');
        $s->later(600);    # two link tokens for the same must be that far apart
        $s->equal($s->api(POST => 'patients', $s->patient_body($who))->{status}, 200, 'the hospital may tell of the patient again');
        my $no = $s->new_visit(uhid => $who->{uhid})->{no};
        $s->equal($s->context_in($no, 'LINKED')->{state}, 'LINKED', 'the next visit is');
    }];
}

# ---- what goes out --------------------------------------------------------------------------------

sub _only_allowed () {
    return ['A consent for some types and some months: that much arrives, within the time' => sub ($s) {
        my $who     = $s->kept->{who} = $s->meet('asha.k@sbx');
        my @visits  = ('OPD-25-3107', 'OPD-26-0771');
        my %allowed = (hi_types => ['Prescription', 'DiagnosticReport'], from => '2026-01-01T00:00:00.000Z');
        my $consent = $s->kept->{consent} = $s->consent($who, \@visits, %allowed);
        my $done    = $s->pull($consent, from => $allowed{from});
        my @wanted  = grep { $_->{kind} ne 'OPD note' } $s->papers('OPD-26-0771');
        my @pages   = @{ $done->{pages} };
        $s->equal([sort map { $_->{hiType} } @pages], [qw(DiagnosticReport DiagnosticReport Prescription)], 'documents');
        $s->equal([grep { $_ ne 'OPD-26-0771' } map { $_->{careContextReference} } @pages], [], 'of the visit before those months');
        my %held = map { $_ => 1 } map { ($_->{sha256}, map { $_->{sha256} } @{ $_->{attachments} // [] }) } @pages;
        $s->check($held{ $_->{sha256} }, "paper $_->{id} arrived as it is: SHA-256 $_->{sha256}") for @wanted;
        $s->check(!$held{ $_->{sha256} }, "paper $_->{id} ($_->{kind} of $_->{date}) is absent") for $s->papers('OPD-25-3107');
        my %told = map { $_->{careContextReference} => $_->{hiStatus} } @{ $done->{notify}{statusNotification}{statusResponses} };
        $s->equal($told{'OPD-26-0771'}, 'DELIVERED', 'ABDM is told of the one');
        $s->check(($told{'OPD-25-3107'} // '') ne 'DELIVERED', 'and of the other: ' . ($told{'OPD-25-3107'} // 'nothing'));
        my $seconds = ($done->{notify_ms} - $done->{accepted_ms}) / 1000;
        $s->check($seconds > 0 && $seconds < $LIMIT, sprintf 'from the request to the notification: %.1f s, %d s are given', $seconds, $LIMIT);
    }];
}

sub _beyond_range () {
    return ['A request for months that the consent does not cover is refused' => sub ($s) {
        my $asked = $s->refused_pull($s->kept->{consent}, from => '2025-01-01T00:00:00.000Z');
        $s->check($asked->{refused}, 'ABDM is told: ' . $s->canonical($asked->{refused}));
        $s->equal(($s->t->reasons($asked->{transaction_id}))[-1], 'E_CONSENT_RANGE', 'because of');
        $s->equal(scalar @{ $asked->{pages} // [] }, 0, 'documents sent');
    }];
}

sub _foreign_requester () {
    return ['Another requester asks with this consent, past ABDM: refused' => sub ($s) {
        my ($id, $sent) = $s->t->request($s->kept->{consent}, token => { azp => 'SBXID_000777', roles => ['hiu'] });
        $s->equal($sent->{status}, 401, 'its own genuine token is answered');
        $s->like($sent->{body}, qr/E_TOKEN_CALLER/, 'with');
        $s->equal(scalar @{ $s->t->sim("/transfers/$id")->{pages} }, 0, 'documents sent');
        my $unknown = $s->refused_pull($s->kept->{consent}, body => { hiRequest => { consent => { id => '00000000-0000-4000-8000-000000000000' } } });
        $s->check($unknown->{refused}, 'nor is there anything for a consent that nobody gave: ' . $s->canonical($unknown->{refused}));
    }];
}

sub _deadline () {
    return ['The HMIS is down: two hours later at the latest ABDM is told that nothing comes' => sub ($s) {
        my $who  = $s->kept->{who};
        my $left = $s->consent($who, ['OPD-26-0771']);
        $s->t->hmis('/_test/fault', { path => '^/api/visits/', action => 'down' });
        my $began = $s->t->now;
        my $id    = $s->t->request($left);
        my $done;
        for (1 .. 8) {
            $done = $s->t->wait_for(notify => transaction => $id, timeout_ms => 1500) and last;
            $s->later(15 * 60);
        }
        $s->t->hmis('/_test/clear', {});
        my $took = $s->t->now - $began;
        $s->check($done && $took <= $LIMIT, sprintf 'ABDM was told after %d minutes by the clock of both', $took / 60);
        $s->equal($done->{notify}{statusNotification}{sessionStatus}, 'FAILED', 'the transfer is');
        $s->equal(scalar @{ $done->{pages} // [] }, 0, 'documents sent');
    }];
}

1;
