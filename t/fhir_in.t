#!/usr/bin/perl

# FHIR that was mended or wrapped (all documents that t/unit/normalize.c makes of the records of
# t/records) is conformant to an independent checker.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Cwd qw(realpath);
use File::Temp qw(tempdir);
use Test::More;
use Test::Profiles qw(checker_missing check_profiles run);

my $root = realpath("$FindBin::Bin/..");
my ($normalize) = grep { -x } map { "$_/unit/normalize" } $ENV{ABDM_BUILD} // (), map { "$root/$_" } qw(build/test build/asan build);
plan skip_all => 'the unit tests are not built' if !defined $normalize;
my $missing = checker_missing($root);
plan skip_all => $missing if defined $missing;

my $dir = tempdir(CLEANUP => 1);
chdir $root or die "$root: $!\n";
local $ENV{NORMALIZED} = $dir;
my ($failed, $said) = run($normalize);
is($failed, 0, 'the documents are made') or diag($said);

my @documents = sort glob "$dir/*.json";
cmp_ok(scalar @documents, '>=', 120, 'there are enough of them');
my ($status, $output, $passed) = check_profiles($root, @documents);
is($status, 0, 'every document conforms to its profile')
    or diag($output =~ /^FAIL.*?(?=^PASS|\z)/msg);
is($passed, scalar @documents, 'every document was looked at');

done_testing();
