#!/usr/bin/env perl

# Discovery of a patient, against real nginx: who is meant is found by ABHA, by mobile and hospital number, or
# by mobile and name; whoever is not, is not told apart from whoever cannot be told; and every answer is there in
# time, whatever the HMIS does.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $SLOT = 1000;
my $t    = Test::ABDM->new(clock => 1, workers => 2, lines => ['poll off;', 'deep_link off;', "discovery_slot ${SLOT}ms;", 'discovery_limit 6;'])->start;

# Somebody in the books of the HMIS with one visit, and a citizen; fields of either may differ.
my $last = 0;

sub person (%wish) {
    $last++;
    my ($mobile, $uhid) = (sprintf('70000%05d', $last), sprintf 'UH3%05d', $last);
    my $name = $wish{name} // 'Lakshmi Narayanan';
    my %book = (uhid => $uhid, first => 'Lakshmi', last => 'Narayanan', sex => 'F', dob => '14-05-1980', phone => $mobile, %{ $wish{book} // {} });
    my $visit;
    if (!$wish{unknown}) {
        $t->hmis('/_test/patients', \%book);
        $visit = $t->hmis('/_test/visits', { uhid => $uhid })->{visit}{no};
    }
    my $address = sprintf 'd%03d@sbx', $last;
    $t->sim('/citizens', { address => $address, name => $name, gender => 'F', dob => '1980-05-14', mobile => $mobile, number => sprintf('9140000000%04d', $last),
        uhid => $uhid, %{ $wish{citizen} // {} } });
    $t->canary($mobile, $address);
    return { address => $address, uhid => $uhid, mobile => $mobile, visit => $visit };
}

sub discover ($who, %wish) { return $t->sim("/citizens/$who->{address}/discover", \%wish)->{discover} }

sub found ($who, $by, $name, %wish) {
    my $answer = discover($who, %wish)->{answer};
    is_deeply [sort @{ $answer->{matchedBy} // [] }], [sort @$by], "$name: found by @$by" or return diag explain $answer;
    return is $answer->{patient}[0]{referenceNumber}, $who->{uhid}, "$name: the right one";
}

# What is told, without the ids of the question.
sub told ($step) {
    my %answer = %{ $step->{answer} // {} };
    delete @answer{qw(transactionId response)};
    return \%answer;
}

my $NOBODY;

sub nobody ($who, $name, %wish) {
    my $told = told(discover($who, %wish));
    is $told->{error}{code}, 'ABDM-1010', "$name: not found" or diag explain $told;
    $NOBODY //= $told;
    return is_deeply $told, $NOBODY, "$name: with the very words as for anybody";
}

subtest 'found by the ABHA that the HMIS knows, whatever else it has' => sub {
    my $who = person(book => { first => 'Nobody', phone => '7999999999', abha_address => "D001\@sbx" });
    found($who, ['ABHA_ADDRESS'], 'by the address, in any case', identifiers => [{ type => 'ABHA_ADDRESS', value => $who->{address} }]);
    $who = person(book => { phone => '7999999998', abha => '91-4000-0000-0002' });
    my $got = discover($who);
    is $got->{answer}{patient}[0]{referenceNumber}, $who->{uhid}, 'by the number with dashes' or diag explain $got;
};

subtest 'found by mobile and name, as Indian names are written' => sub {
    found(person(), ['MOBILE'], 'the very name');
    found(person(name => 'Laxmi Narayanan'), ['MOBILE'], 'Laxmi and Lakshmi');
    found(person(name => 'Smt. LAKSHMI  NARAYANAN'), ['MOBILE'], 'a title, capitals, spaces');
    found(person(name => 'Narayanan Lakshmi'), ['MOBILE'], 'the other order');
    found(person(name => 'N Lakshmi'), ['MOBILE'], 'an initial');
    found(person(book => { dob => '01-01-1984' }), ['MOBILE'], 'four years apart');
};

subtest 'all the forms in which the gateway writes' => sub {
    found(person(), ['MOBILE'], "a mobile as $_", mobile_form => $_) for qw(91 +91 +91-);
    my $who = person();
    ok discover($who, old_types => 1)->{answer}{patient}, 'types of v0.5';
    ok discover($who, year_form => 'string', number_form => 'plain')->{answer}{patient}, 'a year as text, a number without dashes';
};

subtest 'a family with one phone is told apart, by the hospital number or by the name' => sub {
    my $mother = person();
    $t->hmis('/_test/patients', { uhid => 'UH399001', first => 'Gopal', last => 'Narayanan', sex => 'M', dob => '03-03-2010', phone => $mother->{mobile} });
    $t->hmis('/_test/visits', { uhid => 'UH399001' });
    found($mother, ['MOBILE'], 'the mother by her name');
    found($mother, [qw(MOBILE MR)], 'and by her number', mr => $mother->{uhid});
    nobody($mother, 'with a number that is nobody\'s', mr => 'UH399999');
};

subtest 'who is not meant is not found, and nobody can tell why' => sub {
    nobody(person(unknown => 1), 'a stranger');
    nobody(person(name => 'Krishna Kumar'), 'another name');
    nobody(person(book => { sex => 'M' }), 'another gender');
    nobody(person(book => { dob => '14-05-1950' }), 'another year of birth');
    nobody(person(), 'only the hospital number', identifiers => [], mr => 'UH300001');
    my $twin = person();
    $t->hmis('/_test/patients', { uhid => 'UH399002', first => 'Lakshmi', last => 'Narayanan', sex => 'F', dob => '20-08-1980', phone => $twin->{mobile} });
    $t->hmis('/_test/visits', { uhid => 'UH399002' });
    nobody($twin, 'two of the same name, phone and age');
    my $bare = person(unknown => 1);
    $t->hmis('/_test/patients', { uhid => $bare->{uhid}, first => 'Lakshmi', last => 'Narayanan', sex => 'F', dob => '14-05-1980', phone => $bare->{mobile} });
    nobody($bare, 'a patient without any visit');
    my $left = person();
    $t->sim("/citizens/$left->{address}/status", { status => 'DEACTIVATED' });
    nobody($left, 'one who has left ABDM');
};

subtest 'beyond the budget of a patient nothing is found, until an hour is over' => sub {
    my $who = person();
    ok discover($who)->{answer}{patient}, "discovery $_" for 1 .. 6;
    nobody($who, 'the seventh');
    my $other = person(citizen => { mobile => $who->{mobile} }, book => { phone => $who->{mobile} });
    nobody($other, 'another ABHA with the same mobile');
    $t->advance(61 * 60_000);
    nobody($other, 'an hour later they are two with one name');
    ok !discover($who)->{answer}{patient}, 'both';
};

subtest 'answers come at the end of a slot, found or not' => sub {
    $t->hmis('/_test/fault', { path => '^/api/patients', action => 'slow', ms => 150 });
    my ($who, $stranger) = (person(), person(unknown => 1));
    my %ms = (found => discover($who)->{answer_ms}, unknown => discover($stranger)->{answer_ms});
    for my $name (sort keys %ms) {
        my $beyond = $ms{$name} % $SLOT;
        cmp_ok $beyond, '<', 0.7 * $SLOT, "$name: $ms{$name} ms";
        is int($ms{$name} / $SLOT), 1, "$name: in the first slot";
    }
    $t->hmis('/_test/clear', {});
};

subtest 'the HMIS is down, slow, or talks nonsense: the app is told in time, and never nobody' => sub {
    for my $fault (['down', '^/api/patients'], ['garbage', '^/api/patients'], ['drop', '^/api/patients'], ['down', '/visits$'], ['garbage', '/visits$']) {
        my ($action, $path) = @$fault;
        my $who = person();
        $t->hmis('/_test/fault', { path => $path, action => $action });
        my $step = discover($who);
        $t->hmis('/_test/clear', {});
        is $step->{answer}{error}{code}, 'ABDM-1024', "$action $path: a trouble, in $step->{answer_ms} ms" or diag explain $step;
        cmp_ok $step->{answer_ms}, '<', 9500, "$action $path: in time";
        ok discover($who)->{answer}{patient}, "$action $path: and found once it is over";
    }
    my $who = person();
    $t->hmis('/_test/fault', { path => '^/api/patients', action => 'slow', ms => 12_000 });
    my $step = discover($who);
    $t->hmis('/_test/clear', {});
    is $step->{answer}{error}{code}, 'ABDM-1024', 'too slow: a trouble';
    cmp_ok $step->{answer_ms}, '<', 9500, "after $step->{answer_ms} ms";
};

$t->no_violations;
$t->finish;
