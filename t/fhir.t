#!/usr/bin/perl

# What the library makes of a file is held against the NRCeS profiles by an independent checker:
# every HI type with every type of file, and the records that say as little as they may. The
# checker is installed from npm once, into build/validator.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Cwd qw(realpath);
use File::Temp qw(tempdir);
use JSON::PP ();
use Test::More;
use Test::Profiles qw(checker_missing check_profiles run);

my $root = realpath("$FindBin::Bin/..");
my $fhir = "$root/../shared/fhir";

my %FILES = (
    'application/pdf' => "%PDF-1.4\n%minimal\n",
    'image/jpeg'      => "\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    'image/png'       => "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    'text/plain'      => "Take one at night.\n",
);

my @TYPES = qw(OPConsultation Prescription DischargeSummary DiagnosticReport ImmunizationRecord
    HealthDocumentRecord WellnessRecord);

sub write_file {
    my ($path, $bytes) = @_;
    open my $file, '>:raw', $path or die "$path: $!\n";
    print {$file} $bytes or die "$path: $!\n";
    close $file or die "$path: $!\n";
    return;
}

my ($tool) = grep { -x } map { "$_/tools/document_wrap" } $ENV{ABDM_BUILD} // (), map { "$root/$_" } qw(build build/test build/asan);
plan skip_all => 'document_wrap is not built'      if !defined $tool;
my $missing = checker_missing($root);
plan skip_all => $missing if defined $missing;

my $dir = tempdir(CLEANUP => 1);

sub record {
    my ($type, $content_type, %more) = @_;
    return {
        id                   => '5001',
        hiType               => $type,
        careContextReference => 'OPD-26-0771',
        authoredOn           => '2026-03-05T10:55:00+05:30',
        title                => "\x{914}\x{937}\x{927} \"note\"",
        patient              => {
            patientReference => 'UH100231', abhaAddress => 'asha@sbx', name => 'Asha Kumari',
            gender => 'F', birthDate => '1988-05-14', mobile => '9000000001',
        },
        practitioners => [
            { name => 'Dr. Meera Joshi', registrationNumber => 'MH-2009-04417' },
            { name => 'Dr. Suresh Pillai', practitionerId => 'S-17' },
            { name => 'Dr. Lakshmi Rao' },
        ],
        encounter => { class => 'AMB', type => 'Review' },
        document  => { url => '/files/5001', contentType => $content_type, title => 'Scan' },
        %more,
    };
}

# Writes the document of a record; gives its path, or fails the test.
sub document {
    my ($name, $record) = @_;
    my $bytes = $FILES{$record->{document}{contentType}};
    my $path  = "$dir/$name.json";
    write_file("$dir/record.json", JSON::PP->new->utf8->encode($record));
    write_file("$dir/file",        $bytes);
    my ($status, $output) = run($tool, "$dir/record.json", "$dir/file");
    is($status, 0, "$name is made") or diag($output);
    write_file($path, $output);
    return $path;
}

my %least = (
    title => undef, practitioners => [], encounter => undef,
    patient => { patientReference => 'UH100231' },
);

my @documents;
for my $type (@TYPES) {
    for my $content_type (sort keys %FILES) {
        my $name = "$type-$content_type" =~ tr{/}{-}r;
        push @documents, document($name, record($type, $content_type));
    }
    push @documents, document("$type-least", record($type, 'application/pdf', %least));
}
push @documents, document('date-only',
    record('DischargeSummary', 'application/pdf', authoredOn => '2026-03-05'));
push @documents, document('no-zone',
    record('DischargeSummary', 'application/pdf', authoredOn => '2026-03-05 10:55:00'));

my ($status, $output, $passed) = check_profiles($root, @documents);
is($status, 0, 'every document conforms to its profile') or diag($output);
is($passed, scalar @documents, 'every document was looked at');

SKIP: {
    my $broken = "$fhir/examples/broken/n01_bundle_no_identifier.json";
    skip 'the examples are not here', 1 if !-e $broken;
    ($status) = check_profiles($root, $broken);
    isnt($status, 0, 'the checker refuses a broken document');
}

done_testing();
