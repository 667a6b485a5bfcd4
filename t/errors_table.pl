#!/usr/bin/env perl

# The table of errors in README.md, from the `abdm errors` of a build (ABDM_BIN, default
# build/abdm). Writes it between its marks; with --check only tells whether it is up to date.

use strict;
use warnings;
use feature 'signatures';

use FindBin;

my $readme = "$FindBin::Bin/../README.md";
my $abdm   = $ENV{ABDM_BIN} // "$FindBin::Bin/../build/abdm";
my $marks  = qr/(<!--[ ]errors:[^\n]*-->\n).*?(<!--[ ]\/errors[ ]-->)/sx;

my $text = slurp($readme);
(my $new = $text) =~ s/$marks/$1 . table() . $2/e or die "README.md has no marks of the table\n";
exit 0 if $new eq $text;
die "README.md: the table of errors is not that of `abdm errors`: run t/errors_table.pl\n"
    if grep { $_ eq '--check' } @ARGV;
open my $file, '>', $readme or die "$readme: $!\n";
print {$file} $new;
close $file or die "$readme: $!\n";

sub table () {
    open my $run, '-|', $abdm, 'errors' or die "$abdm: $!\n";
    my $said = do { local $/ = undef; <$run> };
    close $run or die "$abdm errors failed\n";
    my @rows = $said =~ /^(E_\w+)\n\s+(.*)\n\s+do:[ ](.*)$/gm or die "$abdm errors: not understood\n";
    my $table = "| code | meaning | what to do |\n|---|---|---|\n";
    while (my ($code, @cells) = splice @rows, 0, 3) {
        s/[|]/\\|/g for @cells;
        $table .= "| `$code` | $cells[0] | $cells[1] |\n";
    }
    return $table;
}

sub slurp ($path) {
    open my $in, '<', $path or die "$path: $!\n";
    my $bytes = do { local $/ = undef; <$in> };
    close $in or die "$path: $!\n";
    return $bytes;
}
