#!/usr/bin/env perl

# Records that say themselves what they hold: what the demo HMIS keeps in fields, and one of each of
# the eight kinds, arrive as conformant documents; what cannot become one stays here.

use strict;
use warnings;
use feature 'signatures';
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Cpanel::JSON::XS ();
use Encode qw(encode_utf8);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::ABDM;
use Test::More;
use Test::Profiles qw(checker_missing check_profiles);

Test::ABDM->need_module;
my $root     = Test::ABDM->root;
my $json     = Cpanel::JSON::XS->new->utf8->canonical;
my $missing  = checker_missing($root);
my $dir      = tempdir(CLEANUP => 1);
my $received = 0;

sub slurp ($path) {
    open my $file, '<:raw', $path or die "$path: $!\n";
    my $bytes = do { local $/ = undef; <$file> };
    close $file or die "$path: $!\n";
    return $bytes;
}

sub spew ($path, $bytes) {
    open my $file, '>:raw', $path or die "$path: $!\n";
    print {$file} $bytes or die "$path: $!\n";
    close $file or die "$path: $!\n";
    return $path;
}

# A mapping whose program gives these records, whatever the HMIS says.
sub mapping ($name, @records) {
    my $path = "$dir/$name";
    make_path($path);
    chmod 0755, $dir, $path;
    spew("$path/mapping.json", '{ "records": { "path": "/api/visits/{careContextRef}", "map": "records.jq" } }');
    spew("$path/records.jq", '[' . join(",\n", @records) . "]\n");
    return $path;
}

sub transfer ($t, %consent) {
    my $consent = $t->grant(%consent);
    ok $t->wait_for(ack => consent => $consent->{consent_id}), 'granted';
    my $id   = $t->request($consent);
    my $done = $t->wait_for(notify => transaction => $id, timeout_ms => 20_000);
    ok $done, 'the transfer ends' or return;
    return $done;
}

sub status_of ($done) {
    return $done->{notify}{statusNotification}{sessionStatus};
}

# The documents as the requester has them, held against the profiles.
sub conformant ($done) {
    my @texts = map { encode_utf8($_->{text}) } @{ $done->{pages} };
  SKIP: {
        skip $missing, 1 if defined $missing;
        my @paths = map { spew("$dir/received." . $received++ . '.json', $_) } @texts;
        my ($status, $output) = check_profiles($root, @paths);
        is $status, 0, 'all of them conform' or diag $output;
    }
    return map { $json->decode($_) } @texts;
}

sub resources ($type, @documents) {
    return grep { $_->{resourceType} eq $type } map { $_->{resource} } map { @{ $_->{entry} } } @documents;
}

subtest 'what a visit has in fields arrives as documents, each test in one of its own' => sub {
    my $t    = Test::ABDM->new->start;
    my $done = transfer($t, contexts => ['OPD-26-0815']) or return;
    is status_of($done), 'TRANSFERRED', 'transferred';
    is_deeply [sort map { $_->{hiType} } @{ $done->{pages} }],
        [qw(DiagnosticReport DiagnosticReport OPConsultation Prescription)], 'the note, the drugs and two tests';
    my @documents = conformant($done);
    is_deeply [sort map { $_->{code}{text} } resources('DiagnosticReport', @documents)],
        ['Complete blood count', 'Malaria antigen'], 'both reports';
    my ($hb) = grep { ($_->{code}{text} // '') eq 'Haemoglobin' } resources('Observation', @documents);
    ok $hb, 'a result';
    my ($page) = grep { ($_->{text} // '') =~ /"Haemoglobin"/ } @{ $done->{pages} };
    like $page->{text}, qr/"value":10[.]90\b/, 'whose number has all its digits';
    ok grep({ $_->{code}{text} eq 'तीन दिन से बुखार' } resources('Condition', @documents)), 'a complaint in Hindi';
    is_deeply [map { $_->{medicationCodeableConcept}{coding} // () } resources('MedicationRequest', @documents)], [],
        'no code was guessed';
    my $again = transfer($t, contexts => ['OPD-26-0815']) or return;
    is_deeply [sort map { $_->{text} } @{ $again->{pages} }], [sort map { $_->{text} } @{ $done->{pages} }],
        'and asked for again they are the same';
    $t->no_violations;
    $t->finish;
};

subtest 'all eight kinds arrive' => sub {
    my @records = map { slurp("$root/t/records/${_}_typical.json") } qw(op rx lab img dis imm doc wel inv);
    my $t       = Test::ABDM->new(mapping => mapping('eight', @records))->start;
    my $done    = transfer($t, contexts => ['OPD-26-0771']) or return;
    is status_of($done), 'TRANSFERRED', 'transferred';
    my %kinds = map { $_->{hiType} => 1 } @{ $done->{pages} };
    is_deeply [sort keys %kinds],
        [qw(DiagnosticReport DischargeSummary HealthDocumentRecord ImmunizationRecord Invoice OPConsultation Prescription
            WellnessRecord)], 'every kind';
    conformant($done);
    $t->no_violations;
    $t->finish;
};

subtest 'a record that lacks what its kind needs is refused by the name of the field' => sub {
    my $record = $json->decode(slurp("$root/t/records/rx_typical.json"));
    delete $record->{prescriptions}[0]{medicine};
    my $bundle = { %$record{qw(patient authoredOn)}, hiType => 'Prescription', bundle => { url => '/api/patients/UH100231' } };
    my $t = Test::ABDM->new(mapping => mapping('lacking', map { $json->encode($_) } $record, $bundle))->start;
    my $done = transfer($t, contexts => ['OPD-26-0771']) or return;
    is status_of($done), 'FAILED', 'nothing is transferred';
    is_deeply $done->{pages}, [], 'and nothing was sent';
    my $log = slurp($t->dir . '/error.log');
    like $log, qr{E_RECORD_FORM.*medicine: missing.*where=/prescriptions/0/medicine}, 'the log names the field';
    like $log, qr{E_RECORD_FORM.*neither a document, a searchset}, 'and what is no FHIR at all';
    $t->no_violations;
    $t->finish;
};

subtest 'the patient of the record must be that of the consent' => sub {
    my $record = $json->decode(slurp("$root/t/records/rx_typical.json"));
    $record->{patient}{patientReference} = 'UH100232';
    my $t = Test::ABDM->new(mapping => mapping('other', $json->encode($record)))->start;
    my $done = transfer($t, contexts => ['OPD-26-0771']) or return;
    is status_of($done), 'FAILED', 'nothing is transferred';
    is_deeply $done->{pages}, [], 'and nothing was sent';
    $t->no_violations;
    $t->finish;
};

subtest 'a term of the hospital gets the code that its table has for it, any other stays text' => sub {
    my $record = $json->decode(slurp("$root/t/records/rx_typical.json"));
    $record->{prescriptions} = [map { { medicine => $_, dosage => '1-0-1' } } 'PCM650', 'PCM500'];
    my $port = Test::ABDM::free_port();
    make_path("$dir/coded/api/visits");
    chmod 0755, "$dir/coded", "$dir/coded/api", "$dir/coded/api/visits";
    spew("$dir/coded/api/visits/OPD-26-0771", '{}');
    my $mapping = mapping('coded', $json->encode($record));
    my $codes   = spew("$dir/codes.csv",
        "field,local,system,code,display\nmedicine,PCM650,http://snomed.info/sct,387517004,Paracetamol\n");
    my $t = Test::ABDM->new(
        http     => ["server { listen 127.0.0.1:$port; root $dir/coded; }"],
        facility => ['name "Demo Hospital";', "hmis rest http://127.0.0.1:$port mapping=$mapping;", "codes $codes;"],
    )->start;
    my $done = transfer($t, contexts => ['OPD-26-0771']) or return;
    my @codings = map { $_->{medicationCodeableConcept}{coding} } resources('MedicationRequest', conformant($done));
    is_deeply \@codings, [[{ system => 'http://snomed.info/sct', code => '387517004', display => 'Paracetamol' }], undef],
        'one coded, one not';
    $t->no_violations;
    $t->finish;
};

# FHIR of an HMIS that is nothing but files behind nginx; gives the end of the transfer, and the log.
sub fhir_transfer ($policy, $bundle) {
    my $port = Test::ABDM::free_port();
    make_path("$dir/www/api/visits");
    chmod 0755, "$dir/www", "$dir/www/api", "$dir/www/api/visits";
    spew("$dir/www/api/visits/OPD-26-0771", '{}');
    spew("$dir/www/fhir.json", $json->encode($bundle));
    my $record  = { hiType => 'DiagnosticReport', id => '1', authoredOn => '2026-03-05T16:20:00',
        patient => { patientReference => 'UH100231' }, bundle => { url => '/fhir.json' } };
    my $mapping = mapping('fhir', $json->encode($record));
    my ($done, $log);
    subtest "fhir $policy" => sub {
        my $t = Test::ABDM->new(
            http     => ["server { listen 127.0.0.1:$port; root $dir/www; }"],
            facility => ['name "Demo Hospital";', "hmis rest http://127.0.0.1:$port mapping=$mapping;", "fhir $policy;"],
        )->start;
        $done = transfer($t, contexts => ['OPD-26-0771']) or return;
        $log = slurp($t->dir . '/error.log');
        $t->no_violations;
        $t->finish;
    };
    return ($done, $log);
}

# A report of the demo HMIS.
sub exported {
    my $bundle;
    subtest 'a document of the HMIS' => sub {
        my $t = Test::ABDM->new(module => 0);
        $t->start_hmis;
        $bundle = $t->hmis('/export/5003.json');
        $t->stop;
        ok $bundle, 'fetched';
    };
    return $bundle;
}

subtest 'FHIR that is badly held together arrives mended' => sub {
    my $bundle = exported();
    delete @$bundle{qw(meta identifier timestamp)};
    $_->{fullUrl} = "$_->{resource}{resourceType}/$_->{resource}{id}" for @{ $bundle->{entry} };
    my ($done, $log) = fhir_transfer('reject', $bundle) or return;
    is status_of($done), 'TRANSFERRED', 'transferred';
    my ($document) = conformant($done);
    like $document->{entry}[0]{fullUrl}, qr/\Aurn:uuid:/, 'with names of its own';
    like $log, qr/FHIR of the HMIS mended/, 'and the log says so';
};

subtest 'resources of a search arrive as a document' => sub {
    my $bundle = exported();
    shift @{ $bundle->{entry} };
    $bundle->{type} = 'searchset';
    delete @$bundle{qw(meta identifier timestamp)};
    pop @{ $bundle->{entry} } while $bundle->{entry}[-1]{resource}{resourceType} eq 'DocumentReference';
    my ($done) = fhir_transfer('reject', $bundle) or return;
    is status_of($done), 'TRANSFERRED', 'transferred';
    conformant($done);
};

subtest 'what cannot be mended is rejected, attached or sent, as the facility wants it' => sub {
    my $bundle = exported();
    my ($report) = resources('DiagnosticReport', $bundle);
    delete $report->{code};
    my ($done, $log) = fhir_transfer('reject', $bundle) or return;
    is status_of($done), 'FAILED', 'reject: not transferred';
    like $log, qr{E_RECORD_FORM.*F_MISSING.*where=/entry/\d+/resource/code}, 'the log names rule and place';

    ($done, $log) = fhir_transfer('attach', $bundle) or return;
    is status_of($done), 'TRANSFERRED', 'attach: transferred';
    conformant($done);
    is $done->{pages}[0]{attachments}[0]{contentType}, 'text/plain', 'as a text';
    is $done->{pages}[0]{attachments}[0]{size}, length $json->encode($bundle), 'that is the whole of it';
    like $log, qr/sent as an attachment/, 'and the log says so';

    ($done, $log) = fhir_transfer('send', $bundle) or return;
    is status_of($done), 'TRANSFERRED', 'send: transferred';
    is $done->{pages}[0]{text}, Encode::decode_utf8($json->encode($bundle)), 'byte for byte';
    like $log, qr/does not conform, sent as it is/, 'and the log says so';
};

done_testing;
