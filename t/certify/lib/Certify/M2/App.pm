package Certify::M2::App;

# What a citizen does in the app, with this hospital as the other side: finds it, discovers and links
# records, pulls them, and shares the profile at a counter.

use strict;
use warnings;
use feature 'signatures';
use utf8;

use Certify::Scene ();
use Certify::Steps qw(listed_and_pulled);
use Mojo::JSON ();
use Time::HiRes ();

my $MINUTE = 60;
my $LIFE   = 30 * $MINUTE;    # of a token at a counter

sub demonstrations {
    return (
        USER_INIT_LINK_602        => [_facility_found(), _facility_answers(), _not_served()],
        USER_INIT_LINK_603        => [_matched(), _family_phone(), _record_number(), _nobody(), _ambiguous()],
        USER_INIT_LINK_604        => [_offered(), _linked_one(), _rest_offered(), _nothing_left()],
        USER_INIT_LINK_605        => [_offered(), _otp_sent(), _otp_wrong(), _otp_right(), _otp_late()],
        USER_INIT_LINK_607        => [_offered(), _otp_sent(), _otp_right(), listed_and_pulled('user')],
        SHARE_PATIENT_PROFILE_701 => [_poster(), _cancelled(), _shared(), _told_hmis(), _scanned_again(), _expired(), _wrong_counter()],
    );
}

sub _error ($step) { return ($step->{answer}{error} // {})->{code} }

# ---- the facility ---------------------------------------------------------------------------------

sub _facility_found () {
    return ['The app searches for the hospital by a part of its name, and the citizen picks it' => sub ($s) {
        my @found = @{ $s->t->sim('/providers?name=Demo')->{providers} };
        my ($ours) = grep { $s->canonical($_) =~ /\Q$Certify::Scene::FACILITY\E/ } @found;
        $s->check($ours, 'it is among what is found');
        $s->like($s->canonical($ours), qr/Demo Hospital/, 'under its name');
        $s->equal(scalar @{ $s->t->sim('/providers?name=Nowhere')->{providers} }, 0, 'hospitals of a name that nobody has');
        $s->note({ found => $ours });
    }];
}

sub _facility_answers () {
    return ['What the app then asks of it is answered by the module' => sub ($s) {
        my $who  = $s->kept->{who} = $s->citizen;
        my $step = $s->act($who, 'discover')->{discover};
        $s->equal($step->{status}, 202, 'the discovery is taken');
        $s->equal($s->references($step->{answer}), $who->{visits}, 'and answered with the citizen\'s visits');
        $s->check($step->{answer_ms} < 10_000, "in time: $step->{answer_ms} ms, 10000 are given");
    }];
}

sub _not_served () {
    return ['A facility that this hospital does not have is not answered for' => sub ($s) {
        my $step = $s->act($s->kept->{who}, 'discover', headers => { 'X-HIP-ID' => 'IN0770009999_1' }, wait => Mojo::JSON::false())->{discover};
        $s->check($step->{status} >= 400 && $step->{status} < 500, "the discovery is refused: $step->{status}");
    }];
}

# ---- matching -------------------------------------------------------------------------------------

sub _matched () {
    return ['The app sends the citizen\'s identifiers: the module finds the one patient' => sub ($s) {
        my $who    = $s->citizen;
        my $answer = $s->act($who, 'discover')->{discover}{answer};
        $s->equal($answer->{patient}[0]{referenceNumber}, $who->{uhid}, 'the patient is');
        $s->equal($answer->{matchedBy}, ['MOBILE'], 'found by');
    }];
}

sub _family_phone () {
    return ['A mother and her son have one phone: each finds the own records' => sub ($s) {
        for my $address ('asha.k@sbx', 'arjun.k@sbx') {
            my $who    = $s->meet($address);
            my $answer = $s->act($who, 'discover')->{discover}{answer};
            my %found  = map { $_->{referenceNumber} => 1 } @{ $answer->{patient} // [] };
            $s->equal([sort keys %found], [$who->{uhid}], 'the patient is');
        }
    }];
}

sub _record_number () {
    return ['The citizen gives the hospital\'s own number besides: it is matched exactly' => sub ($s) {
        my $who    = $s->citizen;
        my $answer = $s->act($who, 'discover', mr => $who->{uhid})->{discover}{answer};
        $s->equal($answer->{patient}[0]{referenceNumber}, $who->{uhid}, 'the patient is');
        $s->check(scalar(grep { $_ eq 'MR' } @{ $answer->{matchedBy} // [] }), 'found by MR too');
        my $other = $s->citizen;
        my $step  = $s->act($other, 'discover', mr => $who->{uhid})->{discover};
        my %found = map { $_->{referenceNumber} => 1 } @{ $step->{answer}{patient} // [] };
        $s->check(!$found{ $who->{uhid} }, 'somebody else\'s number finds nothing of theirs: ' . (_error($step) // 'the own records'));
    }];
}

sub _nobody () {
    return ['Somebody who was never here: nobody is found' => sub ($s) {
        my %who = (address => 'stranger.q@sbx', name => 'Zubin Qadri', gender => 'M', dob => '1970-02-03', mobile => '9111111119', number => '91222233334445');
        $s->t->sim('/citizens', \%who);
        $s->{mask}->person(%who);
        $s->equal(_error($s->act(\%who, 'discover')->{discover}), 'ABDM-1010', 'the app is told');
    }];
}

sub _ambiguous () {
    return ['Two files of the hospital fit alike: nobody is found rather than perhaps the wrong one' => sub ($s) {
        my $who   = $s->citizen;
        my $books = $s->t->hmis("/api/patients/$who->{uhid}");
        my $twin  = $who->{uhid} =~ s/\AUH2/UH4/r;
        $s->{mask}->person(uhid => $twin);
        $s->t->hmis('/_test/patients', { %$books, uhid => $twin });
        $s->new_visit(uhid => $_) for $who->{uhid}, $twin;
        my @files = @{ $s->t->hmis("/api/patients?phone=$who->{mobile}")->{patients} };
        $s->equal([map { "$_->{first} $_->{last}, $_->{sex}, $_->{dob}" } @files], [map { "$books->{first} $books->{last}, $books->{sex}, $books->{dob}" } 1, 2], 'the files');
        $s->equal(_error($s->act($who, 'discover')->{discover}), 'ABDM-1010', 'the app is told');
    }];
}

# ---- linking --------------------------------------------------------------------------------------

sub _offered () {
    return ['The app discovers: all visits are offered, each with a name that tells nothing of the illness' => sub ($s) {
        my $who = $s->kept->{who} = $s->citizen;
        $s->kept->{contexts} = $who->{visits};
        my $got = $s->kept->{linking} = $s->act($who, 'discover');
        $s->equal($s->references($got->{discover}{answer}), $who->{visits}, 'offered');
    }];
}

sub _linked_one () {
    return ['The citizen links one of them' => sub ($s) {
        my ($who, $linking) = @{ $s->kept }{qw(who linking)};
        my $begun = $s->linking($linking, 'init', contexts => [$who->{visits}[1]]);
        $s->check($begun->{init}{answer}{link}, 'a link is begun');
        my $done = $s->linking($linking, 'confirm', otp => $s->sms_code($who));
        $s->equal($s->references($done->{confirm}{answer}), [$who->{visits}[1]], 'linked');
    }];
}

sub _rest_offered () {
    return ['The app discovers again: only what is not linked is offered' => sub ($s) {
        my $who = $s->kept->{who};
        my $got = $s->kept->{linking} = $s->act($who, 'discover');
        $s->equal($s->references($got->{discover}{answer}), [@{ $who->{visits} }[0, 2]], 'offered');
    }];
}

sub _nothing_left () {
    return ['When all are linked, nothing is offered' => sub ($s) {
        my ($who, $linking) = @{ $s->kept }{qw(who linking)};
        $s->linking($linking, 'init');
        $s->linking($linking, 'confirm', otp => $s->sms_code($who, 2));
        $s->equal($s->links($who), $who->{visits}, 'linked');
        $s->equal(_error($s->act($who, 'discover')->{discover}), 'ABDM-1010', 'the app is told');
    }];
}

sub _otp_sent () {
    return ['The citizen chooses all: an OTP comes by the hospital\'s SMS' => sub ($s) {
        my ($who, $linking) = @{ $s->kept }{qw(who linking)};
        my $begun = $s->linking($linking, 'init');
        my $meta  = ($begun->{init}{answer}{link} // {})->{meta} // {};
        $s->equal($meta->{communicationMedium}, 'MOBILE', 'the app is told to ask for an OTP');
        $s->equal($meta->{communicationHint}, 'xxxxxx' . substr($who->{mobile}, -4), 'and shows');
        $s->kept->{otp} = $s->sms_code($who);
        my $sms = $s->t->wait_for(sms => mobile => $who->{mobile}) // {};
        $s->like($sms->{text}, qr/\A\d{6} is your code to link records of Demo Hospital/, 'the SMS is worded as approved');
        $s->note({ inbox => { to => $sms->{mobile}, text => $sms->{text} } });
        $s->equal($s->links($who), [], 'linked so far');
    }];
}

sub _otp_wrong () {
    return ['A wrong OTP is refused, and nothing is linked' => sub ($s) {
        my ($who, $linking, $otp) = @{ $s->kept }{qw(who linking otp)};
        my $got = $s->linking($linking, 'confirm', otp => $s->other_code($otp));
        $s->equal(_error($got->{confirm}), 'ABDM-1035', 'the app is told');
        $s->equal(($s->t->reasons($got->{link_reference}))[-1], 'E_OTP_WRONG', 'because of');
        $s->equal($s->links($who), [], 'linked');
    }];
}

sub _otp_right () {
    return ['The right OTP links what was chosen' => sub ($s) {
        my ($who, $linking, $otp) = @{ $s->kept }{qw(who linking otp)};
        my $got = $s->linking($linking, 'confirm', otp => $otp);
        $s->equal($s->references($got->{confirm}{answer}), $who->{visits}, 'confirmed');
        $s->equal($s->links($who), $who->{visits}, 'linked');
    }];
}

sub _otp_late () {
    return ['Another citizen types the right OTP after its time: refused' => sub ($s) {
        my $who     = $s->citizen;
        my $linking = $s->act($who, 'discover');
        $s->linking($linking, 'init');
        my $otp = $s->sms_code($who);
        $s->later(11 * $MINUTE);
        my $got = $s->linking($linking, 'confirm', otp => $otp);
        $s->equal(_error($got->{confirm}), 'ABDM-1035', 'the app is told');
        $s->equal(($s->t->reasons($got->{link_reference}))[-1], 'E_OTP_EXPIRED', 'because of');
        $s->equal($s->links($who), [], 'linked');
    }];
}

# ---- the counter ----------------------------------------------------------------------------------

sub queue ($s) { return $s->api(GET => "queue?counter=$Certify::Scene::COUNTER")->{body}{queue} }

sub _poster () {
    return ['The counter\'s QR code, written by abdm qr, is read by another\'s eyes (zbar)' => sub ($s) {
        my $picture = $s->t->dir . '/counter.png';
        my ($status, undef, $complaint) = $s->t->abdm('qr', $Certify::Scene::FACILITY, $Certify::Scene::COUNTER, '--format', 'png', '-o', $picture);
        $s->equal($status, 0, 'status of abdm qr') or $s->note($complaint);
        open my $zbar, '-|', 'zbarimg', '-q', '--nodbus', '--raw', $picture or die "zbarimg: $!\n";
        chomp(my $said = do { local $/ = undef; <$zbar> } // '');
        close $zbar or die "zbarimg cannot read it\n";
        my ($hip, $counter) = $said =~ m{\Ahttps://phrsbx[.]abdm[.]gov[.]in/share-profile[?]hip-id=([\w-]+)&counter-id=(\w+)\z};
        $s->equal($hip, $Certify::Scene::FACILITY, 'it names the facility');
        $s->equal($counter, $Certify::Scene::COUNTER, 'and the counter');
        $s->kept->{scanned} = { hip => $hip, counter => $counter };
        $s->note("the code says $said");
    }];
}

sub _cancelled () {
    return ['A citizen scans, sees what would be shared, and cancels: nothing reaches the hospital' => sub ($s) {
        my $waiting = @{ queue($s) };
        my $sent    = $s->t->sim('/sent?path=/patient/share$')->{count};
        Time::HiRes::sleep(1);
        $s->equal(scalar @{ queue($s) }, $waiting, 'waiting in the queue, as before');
        $s->equal($s->t->sim('/sent?path=/patient/share$')->{count}, $sent, 'profile shares that went out in all, as before');
        $s->equal($s->t->sim('/calls?path=on-share$')->{count}, $sent, 'answers of the hospital to shares');
    }];
}

sub _share ($s, $who) { return $s->act($who, 'share', %{ $s->kept->{scanned} }) }

sub _shared () {
    return ['A citizen scans and shares the profile: a token, valid 30 minutes, and a place in the queue' => sub ($s) {
        my $who    = $s->kept->{who} = $s->citizen;
        my $step   = _share($s, $who);
        my $answer = $step->{answer}{acknowledgement} // {};
        $s->equal($answer->{status}, 'SUCCESS', 'the app is told');
        $s->like($step->{token}, qr/\A\d+\z/, 'token number');
        $s->equal($answer->{profile}{expiry}, $LIFE, 'seconds that it is valid');
        $s->check($step->{answer_ms} < 30_000, "in time: $step->{answer_ms} ms, 30000 are given");
        my ($row) = grep { $_->{abhaAddress} eq $who->{address} } @{ queue($s) };
        $s->equal($row->{token}, $step->{token}, 'the desk sees the token');
        $s->equal($row->{name}, $who->{name}, 'with the name');
        $s->kept->{token} = $step->{token};
    }];
}

sub _told_hmis () {
    return ['The profile is in the HMIS, which was asked whether it knows the patient' => sub ($s) {
        my $who = $s->kept->{who};
        my $row;
        $s->t->wait_until(sub { ($row) = grep { $_->{abhaAddress} eq $who->{address} } @{ queue($s) }; $row->{saved} });
        $s->check($row->{saved}, 'saved');
        $s->equal($row->{returning}, 'yes', 'returning patient');
        $s->equal($row->{patientReference}, $who->{uhid}, 'the patient of the HMIS');
        $s->equal($s->t->hmis("/api/patients/$who->{uhid}")->{abha_address}, $who->{address}, 'ABHA address in the HMIS\'s books');
    }];
}

sub _scanned_again () {
    return ['The same citizen scans again within the half hour: the same token' => sub ($s) {
        $s->later(20 * $MINUTE);
        my $step = _share($s, $s->kept->{who});
        $s->equal($step->{token}, $s->kept->{token}, 'token');
        my $left = $step->{answer}{acknowledgement}{profile}{expiry};
        $s->check($left <= $LIFE - 20 * $MINUTE, "for what is left of the half hour: $left s");
        $s->equal(scalar(grep { $_->{abhaAddress} eq $s->kept->{who}{address} } @{ queue($s) }), 1, 'places in the queue');
        my $other = _share($s, $s->citizen);
        $s->check($other->{token} > $s->kept->{token}, "somebody else gets another one: $other->{token}");
    }];
}

sub _expired () {
    return ['After the half hour the token is gone' => sub ($s) {
        $s->later(11 * $MINUTE);
        $s->equal(scalar(grep { $_->{token} == $s->kept->{token} } @{ queue($s) }), 0, 'places in the queue');
        my $step = _share($s, $s->kept->{who});
        $s->check($step->{token} > $s->kept->{token}, "who scans then gets a new one: $step->{token}");
    }];
}

sub _wrong_counter () {
    return ['A code of a counter that there is not: no token' => sub ($s) {
        my $step = $s->act($s->citizen, 'share', counter => 'NOSUCH');
        $s->equal($step->{answer}{acknowledgement}{status}, 'FAILED', 'the app is told') if $step->{answer}{acknowledgement};
        $s->check(!defined $step->{token}, 'there is no token: ' . $s->canonical($step->{answer}{error}));
    }];
}

1;
