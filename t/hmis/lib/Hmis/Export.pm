package Hmis::Export;

# Writes a paper as a FHIR R4 document in the form of the Indian national guide (nrces.in).
# Concepts are text only: this hospital keeps no coded terms, and a guessed code is worse than none.

use Mojo::Base -strict, -signatures;
use Digest::SHA qw(sha1_hex);
use Mojo::Util qw(b64_encode encode);
use Exporter 'import';

our @EXPORT_OK = qw(export_paper);

my $PROFILE = 'https://nrces.in/ndhm/fhir/r4/StructureDefinition';
my $SNOMED  = 'http://snomed.info/sct';
my $ID_TYPE = 'http://terminology.hl7.org/CodeSystem/v2-0203';
my %GENDER  = (M => 'male', F => 'female', O => 'other');

# kind of paper => composition profile, SNOMED code of the document, its display, resources
my %DOCUMENT = (
    'Lab report'   => ['DiagnosticReportRecord', '721981007', 'Diagnostic studies report', \&_lab],
    'Prescription' => ['PrescriptionRecord',     '440545006', 'Prescription record',       \&_drugs],
);

sub export_paper ($paper) {
    my $row = $DOCUMENT{ $paper->{kind} } or return;
    my ($profile, $code, $display, $content) = @$row;
    my $visit   = $paper->{visit};
    my $when    = _iso($paper->{date});
    my %ref     = map { $_ => { reference => 'urn:uuid:' . _uuid("$paper->{id} $_") } } qw(patient doctor hospital);
    my $type    = { coding => [{ system => $SNOMED, code => $code, display => $display }], text => $display };
    my @content = $content->($paper, \%ref, $when);
    my @listed  = grep { $_->{resourceType} ne 'Observation' } @content;
    my $composition = {
        resourceType => 'Composition', id => _uuid("$paper->{id} composition"), meta => _meta($profile),
        status => 'final', type => $type, subject => $ref{patient}, date => $when,
        author => [$ref{doctor}], custodian => $ref{hospital}, title => $paper->{title},
        section => [{
            title => $paper->{kind}, code => $type,
            entry => [map { { reference => "urn:uuid:$_->{id}", type => $_->{resourceType} } } @listed],
        }],
    };
    my @resources = ($composition, _people($paper, \%ref), @content);
    return {
        resourceType => 'Bundle', id => _uuid("$paper->{id} bundle"), type => 'document', timestamp => $when,
        meta => { %{ _meta('DocumentBundle') }, versionId => '1', lastUpdated => $when },
        identifier => { system => 'https://hmis.example/document', value => "$visit->{no}/$paper->{id}" },
        entry => [map { { fullUrl => "urn:uuid:$_->{id}", resource => $_ } } @resources],
    };
}

sub _people ($paper, $ref) {
    my $visit   = $paper->{visit};
    my $patient = $visit->{patient};
    my $doctor  = $visit->{doctor};
    return (
        { resourceType => 'Organization', id => _id($ref->{hospital}), meta => _meta('Organization'),
            identifier => [_identifier('PRN', 'Provider number', 'hospital', 'SDH-01')],
            name => 'Sample District Hospital' },
        { resourceType => 'Practitioner', id => _id($ref->{doctor}), meta => _meta('Practitioner'),
            identifier => [_identifier('MD', 'Medical License number', 'doctor', $doctor->{regno})],
            name => [{ text => $doctor->{name} }] },
        { resourceType => 'Patient', id => _id($ref->{patient}), meta => _meta('Patient'),
            identifier => [_identifier('MR', 'Medical record number', 'uhid', $patient->{uhid})],
            name => [{ text => "$patient->{first} $patient->{last}" }],
            gender => $GENDER{ $patient->{sex} }, birthDate => substr(_iso("$patient->{dob} 00:00"), 0, 10) },
    );
}

sub _lab ($paper, $ref, $when) {
    my $observation = _uuid("$paper->{id} observation");
    return (
        { resourceType => 'Observation', id => $observation, meta => _meta('Observation'), status => 'final',
            code => { text => 'Haemoglobin' }, subject => $ref->{patient},
            valueQuantity => { value => 11.8, unit => 'g/dL' } },
        { resourceType => 'DiagnosticReport', id => _uuid("$paper->{id} report"), meta => _meta('DiagnosticReportLab'),
            status => 'final', code => { text => $paper->{title} }, subject => $ref->{patient}, issued => $when,
            resultsInterpreter => [$ref->{doctor}], result => [{ reference => "urn:uuid:$observation" }],
            conclusion => 'Slightly low; repeat after four weeks' },
        { resourceType => 'DocumentReference', id => _uuid("$paper->{id} attachment"), meta => _meta('DocumentReference'),
            status => 'current', subject => $ref->{patient},
            content => [{ attachment => { contentType => 'text/plain', title => $paper->{title},
                data => _text("$paper->{title}\nHaemoglobin 11.8 g/dL\n") } }] },
    );
}

sub _drugs ($paper, $ref, $when) {
    return { resourceType => 'MedicationRequest', id => _uuid("$paper->{id} drug"), meta => _meta('MedicationRequest'),
        status => 'active', intent => 'order', medicationCodeableConcept => { text => 'Atenolol 50 mg tablet' },
        subject => $ref->{patient}, authoredOn => $when, requester => $ref->{doctor},
        dosageInstruction => [{ text => '1-0-0 after food, 30 days' }] };
}

sub _identifier ($code, $display, $kind, $value) {
    return { system => "https://hmis.example/$kind", value => $value,
        type => { coding => [{ system => $ID_TYPE, code => $code, display => $display }], text => $display } };
}

sub _meta ($profile) { return { profile => ["$PROFILE/$profile"] } }

sub _id ($ref) { return substr $ref->{reference}, length 'urn:uuid:' }

sub _text ($text) { return b64_encode(encode('UTF-8', $text), '') }

# A name-based UUID (version 5): the same paper exports the same document each time.
sub _uuid ($name) {
    my $hex = substr sha1_hex("hmis.example $name"), 0, 32;
    substr $hex, 12, 1, '5';
    substr $hex, 16, 1, 'a';
    return join '-', unpack 'A8A4A4A4A12', $hex;
}

sub _iso ($date) {
    my ($d, $m, $y, $time) = $date =~ /\A(\d\d)-(\d\d)-(\d{4}) (\d\d:\d\d)\z/;
    return "$y-$m-${d}T$time:00+05:30";
}

1;
