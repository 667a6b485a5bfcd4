#!/usr/bin/env perl

# The loads of `make load` in small: many citizens discover and link at once with a slow HMIS, and the visits of an
# hour without the gateway are linked afterwards, once each, while citizens discover, nginx is reloaded and its
# workers are killed. That nothing is lost, late, repeated or anybody else's; figures are for `make load`.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::Load;
use Test::More;

Test::ABDM->need_module;

sub goes_well ($name, $run) {
    my @faults = @{ $run->{faults} };
    return ok(!@faults, $name) || diag(join "\n", @faults > 20 ? @faults[0 .. 19] : @faults);
}

goes_well('40 citizens at once are linked to what is theirs', Test::Load::users(n => 40));
goes_well('150 visits of an hour without the gateway are linked, once each',
    Test::Load::visits(n => 150, discoveries => 10, step => 10 * 60_000));
done_testing;
