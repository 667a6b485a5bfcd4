#!/usr/bin/perl

# The records of t/records (smallest, usual and rich ones of every kind, in English and Indian
# scripts, in each of NHA's spellings) become documents that an independent checker finds
# conformant, the same bytes each time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Cwd qw(realpath);
use File::Basename qw(basename);
use File::Temp qw(tempdir);
use Test::More;
use Test::Profiles qw(checker_missing check_profiles);

my $root = realpath("$FindBin::Bin/..");
my ($abdm) = grep { -x } map { "$_/abdm" } $ENV{ABDM_BUILD} // (), map { "$root/$_" } qw(build build/test build/asan);
plan skip_all => 'abdm is not built' if !defined $abdm;
my $missing = checker_missing($root);
plan skip_all => $missing if defined $missing;

my $dir     = tempdir(CLEANUP => 1);
my @records = sort glob "$root/t/records/*.json";
cmp_ok(scalar @records, '>=', 60, 'there are enough records');

# What the command writes about a record, bundle by bundle.
sub built {
    my ($record) = @_;
    open my $out, '-|', $abdm, 'fhir', 'build', '--facility', 'IN0990001234_1', $record
        or die "$abdm: $!\n";
    my $output = do { local $/ = undef; <$out> };
    return close $out ? $output : undef;
}

# Paths of the documents that a record becomes.
sub documents {
    my ($record) = @_;
    my $output = built($record);
    if (!defined $output) {
        fail(basename($record) . ' is built');
        return;
    }
    fail(basename($record) . ' is the same again') if built($record) ne $output;
    my @paths;
    for my $line (grep { /^[{]/ } split /\n/, $output) {
        my $path = sprintf '%s/%s.%d', $dir, basename($record), scalar @paths;
        open my $file, '>:raw', $path or die "$path: $!\n";
        print {$file} $line or die "$path: $!\n";
        close $file or die "$path: $!\n";
        push @paths, $path;
    }
    return @paths;
}

my @documents = map { documents($_) } @records;
my ($status, $output, $passed) = check_profiles($root, @documents);
is($status, 0, 'every document conforms to its profile')
    or diag($output =~ /^FAIL.*?(?=^PASS|\z)/msg);
is($passed, scalar @documents, 'every document was looked at');

done_testing();
