#!/usr/bin/env perl

# The documents keep up with the code: every directive and variable is in README.md with syntax,
# default and context, the sample names every directive, and the table of errors is that of the
# command.

use strict;
use warnings;
use feature 'signatures';

use FindBin;
use Test::More;

my $root = "$FindBin::Bin/..";

sub slurp ($name) {
    open my $file, '<', "$root/$name" or die "$name: $!\n";
    my $bytes = do { local $/ = undef; <$file> };
    close $file or die "$name: $!\n";
    return $bytes;
}

my $readme = slurp('README.md');
my $module = slurp('ngx_abdm_module/ngx_http_abdm_module.c');
my $blocks = slurp('ngx_abdm_module/ngx_http_abdm_block.c');

my @directives = $module =~ /[{][ ]ngx_string[(]"(abdm_\w+)"[)],\s+NGX_HTTP_/g;
my @items      = $blocks =~ /[{][ ]ngx_string[(]"(\w+)"[)],[ ]\d+,[ ]\w+,[ ]ngx_http_abdm_item_/g;
my @variables  = $module =~ /[{][ ]ngx_string[(]"(abdm_\w+)"[)],[ ]NULL/g;

ok(@directives >= 12, 'the directives are found in the code');
ok(@items >= 11,      'and those of the blocks');
ok(@variables >= 2,   'and the variables');

my %described;
while ($readme =~ /^\#{3,4}[ ](\w+)\n\n(.*)$/gm) { $described{$1} = $2 }
for my $name (@directives, @items) {
    like($described{$name} // '', qr/\A\Q**Syntax:** `$name\E\b.*\Q**Default:**\E.*\Q**Context:**\E/,
        "README.md describes $name");
}
my %known = map { $_ => 1 } @directives, @items;
is_deeply([sort grep { !$known{$_} } keys %described], [], 'README.md describes nothing that is not there');
for my $name (@variables) { like($readme, qr/`\$$name`/, "README.md has \$$name") }

my $sample = slurp('conf/nginx.conf.sample');
for my $name (@directives, @items) {
    like($sample, qr/^\s*(?:\#\s*|location\b.*[{]\s*)?$name\b/m, "the sample has $name");
}

my ($abdm) = grep { -x } grep { defined } $ENV{ABDM_BIN}, map { "$root/$_/abdm" } qw(build build/test build/asan);
SKIP: {
    skip 'abdm is not built', 1 if !defined $abdm;
    local $ENV{ABDM_BIN} = $abdm;
    is(system($^X, "$root/t/errors_table.pl", '--check'), 0, 'the table of errors is that of the command');
}

done_testing();
