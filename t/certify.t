#!/usr/bin/env perl

# The certification run cannot be green by omission: what is not shown, not reached, not checked or does
# not hold is never a pass, and nobody is to be found in a report. The run itself is `make certify`.

use strict;
use warnings;
use feature 'signatures';
use utf8;
use FindBin;
use lib map { "$FindBin::Bin/$_" } qw(certify/lib lib sim/lib);

use Cpanel::JSON::XS ();
use File::Temp qw(tempdir);
use Test::More;

# The demonstrations need the simulator's libraries.
eval { require Certify::M2; 1 } or plan skip_all => "what make certify installs is not here: $@";
require Certify;
require Certify::Mask;
require Certify::Report;

my $DIR     = "$FindBin::Bin/certify";
my $rows    = Certify::load_rows("$DIR/rows.tsv");
my $claimed = Certify::load_claimed("$DIR/claimed");
my %shown   = Certify::M2::demonstrations();
my @M2      = map { $_->{id} } grep { $_->{milestone} eq 'M2' } @$rows;
my $dir     = tempdir(CLEANUP => 1);

# A scene without a stage.
package Bare {
    sub new ($class) { return bless {}, $class }
    sub begin ($self, $seen) { return $self->{seen} = $seen }
    sub end ($self, $seen) { return }
    sub check ($self, $ok, $text) { return push @{ $self->{seen}{checks} }, { ok => $ok, text => $text } }
}

sub step ($words, @checks) {
    return [$words => sub ($s) { $s->check($_, "check $_") for @checks }];
}

# The real rows with made-up demonstrations, all good except as said; {id => steps, or undef for none}.
sub run_with (%change) {
    my %steps = ((map { $_ => [step('one', 1), step('two', 1, 1)] } @M2), %change);
    Certify::compare_ids($rows, \%steps, $claimed);
    return Certify::judge($rows, { map { $_ => Certify::play(Bare->new, @{ $steps{$_} }) } grep { $steps{$_} } keys %steps });
}

sub verdict ($judged, $id) { return (map { $_->{verdict} } grep { $_->{id} eq $id } @$judged)[0] }

sub rows_file ($change) {
    open my $in, '<:raw', "$DIR/rows.tsv" or die "$!\n";
    my @lines = <$in>;
    close $in or die "$!\n";
    $change->(\@lines);
    open my $out, '>:raw', "$dir/rows.tsv" or die "$!\n";
    print {$out} @lines;
    close $out or die "$!\n";
    return "$dir/rows.tsv";
}

subtest 'the rows are the official ones, all of them' => sub {
    is scalar @$rows, 282, '282 rows';
    my $total = Certify::verdict_counts(Certify::judge($rows, {}));
    is_deeply [map { $total->{$_}{rows} } qw(M1 M2 M3 PHR)], [54, 24, 14, 190], 'of four sheets';
    is $total->{all}{mandatory}, 234, '234 mandatory';
    is $total->{all}{'not-demonstrated'}, 282, 'without a demonstration none is more than listed';
    my %bad = (
        'a row less'          => sub ($lines) { splice @$lines, 7, 1 },
        'a row twice'         => sub ($lines) { $lines->[7] = $lines->[8] },
        'a column less'       => sub ($lines) { $lines->[7] =~ s/\t[^\t]*\n/\n/ },
        'another word'        => sub ($lines) { $lines->[7] =~ s/\tyes\t/\tperhaps\t/ },
        'without a first line' => sub ($lines) { shift @$lines },
    );
    for my $name (sort keys %bad) {
        ok !eval { Certify::load_rows(rows_file($bad{$name})); 1 }, "$name: refused";
    }
};

subtest 'Milestone 2 is claimed whole, and every row of it has a demonstration' => sub {
    is_deeply [sort @$claimed], [sort @M2], 'the 24 rows are claimed';
    is_deeply [sort keys %shown], [sort @M2], 'and those are demonstrated';
    ok !grep({ !@$_ } values %shown), 'none of them without a step';
};

subtest 'when all is shown, it is green' => sub {
    my $judged = run_with();
    is_deeply [Certify::shortfalls($judged, $claimed)], [], 'nothing is short';
    is(Certify::verdict_counts($judged)->{M2}{pass}, 24, '24 pass');
    is(Certify::verdict_counts($judged)->{all}{'not-demonstrated'}, 258, 'the others are not demonstrated');
};

subtest 'what is left out or broken is not' => sub {
    my $id  = $claimed->[3];
    my $die = ['dies' => sub ($s) { $s->check(1, 'before'); die "broken\n" }];
    my @cases = (
        ['no demonstration'         => 'not-demonstrated', undef],
        ['no steps'                 => 'fail', []],
        ['a check that fails'       => 'fail', [step('one', 1), step('two', 1, 0)]],
        ['the first of them fails'  => 'fail', [step('one', 0), step('two', 1)]],
        ['a step without a check'   => 'fail', [step('one', 1), step('two')]],
        ['a step that dies'         => 'fail', [$die]],
        ['a step not reached'       => 'fail', [$die, step('two', 1)]],
    );
    for my $case (@cases) {
        my ($name, $wanted, $steps) = @$case;
        my $judged = run_with($id => $steps);
        is verdict($judged, $id), $wanted, "$name: $wanted";
        is scalar(Certify::shortfalls($judged, $claimed)), 1, 'the run is not green';
        is scalar @$judged, 282, 'and all rows are listed';
    }
};

subtest 'a row that nobody claimed must not fail either, and what is claimed must exist' => sub {
    my ($other) = grep { $_->{milestone} eq 'M3' } @$rows;
    is_deeply [Certify::shortfalls(run_with($other->{id} => [step('one', 0)]), $claimed)], ["$other->{id} fails"], 'a row of M3 that fails';
    ok !eval { run_with(HIP_INIT_LINK_201 => [step('one', 1)]); 1 }, 'an unknown id: refused';
    like $@, qr/no official row is called: HIP_INIT_LINK_201/, 'by its name';
    ok !eval { Certify::compare_ids($rows, {}, ['NOSUCH']); 1 }, 'an unknown claim: refused';
    is scalar(Certify::shortfalls(run_with(), [])), 1, 'nothing claimed is nothing shown';
    is scalar(Certify::shortfalls(run_with(), $claimed, [{ ok => 0, text => 'x' }])), 1, 'nor is a run green whose conduct is not';
};

subtest 'people and secrets are masked, each by the same mask' => sub {
    my $mask = Certify::Mask->new;
    $mask->person(name => 'Kakari Mosun', number => '91300000123456', mobile => '9800000123', address => 'c00123@sbx', uhid => 'UH200123');
    $mask->secret(otp => '482913');
    my $jwt  = 'eyJhbGciOiJSUzUxMiJ9.eyJzdWIiOiJ4In0.c2ln';
    my $said = { name => 'KAKARI MOSUN', abhaNumber => '91-3000-0012-3456', plain => '91300000123456', phoneNo => '+91-9800000123',
        text => 'Mosun, 482913 is your code', linkToken => $jwt, yearOfBirth => 1953, patient => { id => 'C00123@sbx', ref => 'UH200123' },
        keyMaterial => { dhPublicKey => { keyValue => 'BAkx' }, nonce => 'abcd' }, dataPushUrl => 'https://127.0.0.1:1/hiu/push/0a1b?t=9f',
        error => { code => 'ABDM-1035' }, count => 3 };
    my $text = Cpanel::JSON::XS->new->canonical->encode($mask->data($said));
    is $text, '{"abhaNumber":"[abha-number-1]","count":3,"dataPushUrl":"https://127.0.0.1:1/hiu/push/[push-address-1]","error":{"code":"ABDM-1035"},'
        . '"keyMaterial":{"dhPublicKey":{"keyValue":"[key-1]"},"nonce":"[key-2]"},"linkToken":"[token-1]","name":"[name-1]",'
        . '"patient":{"id":"[abha-address-1]","ref":"[patient-1]"},"phoneNo":"[mobile-1]","plain":"[abha-number-1]",'
        . '"text":"[name-1], [otp-1] is your code","yearOfBirth":"[birth]"}', 'nothing of it is left, and the rest is';
    is_deeply [$mask->leaks($text)], [], 'and nothing is found';
    is $mask->text($text), $text, 'masked again it is the same';
    for my $leak ('Kakari', 'MOSUN', '482913', '9800000123', '+919800000123', '91-3000-0012-3456', 'c00123@sbx', 'uh200123', $jwt, 'stranger@sbx', '7712345678', '0a1b?t=9f') {
        ok scalar(() = $mask->leaks(qq({"x":"$leak"}))), "found: $leak";
    }
    my @harmless = ('b56b26a9da21002388eed8175bc38131d647f3c387c35b1d741da2b3343e328e', '9cfa7c32-e56a-4d24-9518-e9af5bea43af', '1107000000000000001',
        '2026-11-23T14:00:30.482913Z', 'OPD-S-00123-1');
    is_deeply [$mask->leaks("@harmless")], [], 'hashes, ids and times are nobody';
};

subtest 'the report has every row in all its forms' => sub {
    my $judged = run_with($claimed->[0] => [step('<b>one</b> | *two*', 1, 0)]);
    my $run = { generated => 'now', version => '0', facts => [['server', 'nginx']], conduct => [{ ok => 1, text => 'fine' }], judged => $judged, claimed => $claimed };
    my $json = Cpanel::JSON::XS->new->decode(Certify::Report::json($run));
    is scalar @{ $json->{rows} }, 282, 'JSON';
    is_deeply [map { $_->{id} } @{ $json->{rows} }], [map { $_->{id} } @$rows], 'in their order';
    ok !grep({ !Cpanel::JSON::XS::is_bool($_->{mandatory}) || $_->{verdict} !~ /\A(?:pass|fail|not-demonstrated)\z/ || ref $_->{evidence} ne 'ARRAY' } @{ $json->{rows} }),
        'with verdict, evidence and a boolean';
    is_deeply [@{ $json->{totals}{M2} }{qw(pass fail)}], [23, 1], 'and totals';
    my ($html, $md) = (Certify::Report::html($run), Certify::Report::markdown($run));
    is scalar(() = $html =~ /class="verdict [\w-]+">[\w ]+<\/span><\/td>/g), 282, 'HTML';
    is scalar(() = $md =~ /^\| [^|]+ \| (?:yes|no) \| .* \| (?:pass|FAIL|not demonstrated) \|$/mg), 282, 'Markdown';
    like $html, qr/&lt;b&gt;one&lt;\/b&gt; \| \*two\*/, 'HTML is escaped';
    unlike $html, qr/<script|<link|src=|https?:\/\/(?!127)/, 'and needs nothing else';
    like $md, qr/\\<b\\>one\\<\/b\\> \\\| \\\*two\\\*/, 'and so is Markdown';
};

done_testing;
