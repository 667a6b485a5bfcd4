#!/usr/bin/perl

# `abdm fhir check` and `abdm fhir preview` over the examples, and the checker held against an
# independent profile checker over mutations of conformant documents: every element deleted,
# altered, emptied, made null, wrapped or unwrapped in turn (a fixed sample of them;
# ABDM_MUTATIONS=1 takes all). The agreement is printed; where the two differ, a row of @KNOWN says
# why.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Cpanel::JSON::XS ();
use Cwd qw(realpath);
use File::Basename qw(basename);
use File::Temp qw(tempdir);
use IPC::Open3 qw(open3);
use Test::More;
use Test::Profiles qw(checker_missing);

my $root      = realpath("$FindBin::Bin/..");
my $fhir      = "$root/../shared/fhir";
my $validator = "$root/build/validator";
my $step      = $ENV{ABDM_MUTATIONS} // 17;
my $json      = Cpanel::JSON::XS->new->utf8->canonical;

# Documents on which both need not agree: what is mutated, and why.
my @KNOWN = (
    [
        qr/-alter-entry[.]0[.]resource[.]meta[.]profile[.]0\z/,
        'the other compares only the end of the URL of the Composition\'s profile, we all of it',
    ],
    [
        qr/-delete-.*Status[.]coding[.]0[.]system\z/,
        'the other takes a code of a required list without its system, we do not',
    ],
);

# What the examples that are broken are broken in; the rest of their findings is not fixed.
my %BROKEN = (
    n01 => 'F_MISSING /identifier',
    n03 => 'F_MISSING /timestamp',
    n05 => 'F_MISSING /entry/1/resource/identifier/0/type',
    n07 => 'F_MISSING /entry/4/resource/conclusion',
    n09 => 'F_CODE_SYSTEM /entry/4/resource/code/coding/0/system',
    n11 => 'F_ENTRY_TYPE /entry/0/resource/section/0/entry/0',
    n13 => 'F_FIXED /entry/0/resource/type/coding/0/display',
    n15 => 'F_MISSING /entry/3/resource/authoredOn',
    n17 => 'F_MISSING /entry/3/resource/medicationCodeableConcept/coding/0/display',
    n19 => 'F_UNKNOWN_ELEMENT /entry/1/resource/foo',
    n21 => 'F_MISSING /entry/0/resource/encounter',
    n23 => 'F_REFERENCE /entry/0/resource/subject/reference',
    n25 => 'F_FIXED /entry/0/resource/type/text',
    n27 => 'F_MISSING /entry/3/resource/totalNet',
    n29 => 'F_DATE /entry/1/resource/birthDate',
    n31 => 'F_CODE_SYSTEM /entry/5/resource/code/coding/0',
    n33 => 'F_COMPOSITION_FIRST /entry/0',
    n35 => 'F_MISSING /entry/2/resource/identifier',
    n37 => 'F_FULL_URL_TWICE /entry/2/fullUrl',
    n39 => 'F_ENTRY_TYPE /entry/0/resource/section/0/entry/0',
    n41 => 'F_VITAL /entry/4/resource/valueQuantity/code',
    n45 => 'F_FULL_URL /entry/1/fullUrl',
    n47 => 'F_MISSING /entry/4/resource/media',
    n49 => 'F_REFERENCE_TARGET /entry/0/resource/section/1/entry/0/reference',
    n51 => 'F_CODE /entry/10/resource/clinicalStatus',
    n53 => 'F_EMPTY /entry/3/resource/telecom',
    n55 => 'F_NOT_ALLOWED /entry/4/resource/medicationReference',
    n57 => 'F_CODE_SYSTEM /entry/1/resource/type/0/coding/0/system',
    n59 => 'F_TOO_MANY /entry/0/resource/section/0/entry',
);

# Exit status and all output of a command.
sub run {
    my (@command) = @_;
    my $pid = open3(my $in, my $out, undef, @command);
    close $in or die "$command[0]: $!\n";
    my $output = do { local $/ = undef; <$out> };
    waitpid $pid, 0;
    return ($? >> 8, $output // q{});
}

sub read_file {
    my ($path) = @_;
    open my $file, '<:raw', $path or die "$path: $!\n";
    my $text = do { local $/ = undef; <$file> };
    close $file or die "$path: $!\n";
    return $text;
}

sub write_file {
    my ($path, $bytes) = @_;
    open my $file, '>:raw', $path or die "$path: $!\n";
    print {$file} $bytes or die "$path: $!\n";
    close $file or die "$path: $!\n";
    return;
}

my ($abdm) = grep { -x } map { "$_/abdm" } $ENV{ABDM_BUILD} // (), map { "$root/$_" } qw(build build/test build/asan);
plan skip_all => 'abdm is not built' if !defined $abdm;

my $dir = tempdir(CLEANUP => 1);

# --- the command line ---

{
    my ($status, $output) = run($abdm, 'fhir');
    is($status, 2, 'without a command the usage is shown');
    like($output, qr/^usage: abdm fhir/, 'the usage names the command');
    ($status) = run($abdm, qw(fhir --help));
    is($status, 0, 'help that is asked for is no failure');
    ($status) = run($abdm, qw(fhir check));
    is($status, 2, 'check without a file is misused');
    ($status) = run($abdm, qw(fhir check --nonsense), $0);
    is($status, 2, 'an unknown option is misused');
    ($status) = run($abdm, qw(fhir check), "$dir/none.json");
    is($status, 2, 'a file that is not there is no finding');
    ($status, $output) = run($abdm, qw(fhir findings F_MISSING));
    is($status, 0, 'a finding is explained by its code');
    like($output, qr/\AF_MISSING .*\n\s+do: /s, 'the explanation says what to do');
    ($status) = run($abdm, qw(fhir findings F_NONSENSE));
    is($status, 1, 'a finding that does not exist is not explained');

    write_file("$dir/page.json", '<html>');
    ($status, $output) = run($abdm, qw(fhir check), "$dir/page.json");
    is($status, 1, 'what is not JSON is a finding');
    like($output, qr/error F_JSON [(]document[)]: /, 'the finding stands in one line');
    ($status, $output) = run($abdm, qw(fhir preview), "$dir/page.json");
    is($status, 1, 'what is not JSON has no preview');
    ($status, $output) = run($abdm, qw(fhir check --json), "$dir/page.json");
    my $report = $json->decode($output);
    is($report->{findings}[0]{code}, 'F_JSON', 'the JSON report has the code');
    is($report->{file}, "$dir/page.json", 'the JSON report names its file');
}

# --- build ---

{
    my %record = (
        bundleType           => 'PrescriptionRecord',
        careContextReference => 'OPD-1',
        authoredOn           => '2026-03-05',
        patient              => { name => 'Asha', patientReference => 'UH1' },
        practitioners        => [{ name => 'Dr. Rao', registrationNumber => 'MH-1' }],
        organisation         => { facilityName => 'Demo', facilityId => 'IN1' },
        prescriptions        => [{ medicine => 'Paracetamol 500 mg', dosage => '1-0-1' }],
    );
    my $path = "$dir/record.json";
    write_file($path, $json->encode(\%record));
    my ($status, $bundle) = run($abdm, qw(fhir build), $path);
    is($status, 0, 'a record becomes a bundle');
    write_file("$dir/bundle.json", $bundle);
    is(scalar(() = $bundle =~ /\n/g), 1, 'a bundle is one line');
    ($status, my $output) = run($abdm, qw(fhir check --strict), "$dir/bundle.json");
    is("$status$output", '0', 'what is built passes the check');
    ($status, $output) = run($abdm, qw(fhir preview), "$dir/bundle.json");
    like($output, qr/<td>Paracetamol 500 mg/, 'what is built can be looked at');

    delete $record{prescriptions}[0]{medicine};
    write_file($path, $json->encode(\%record));
    ($status, $output) = run($abdm, qw(fhir build), $path);
    is($status, 1, 'a record without a mandatory field is no bundle');
    like($output, qr{E_RECORD_FORM: /prescriptions/0/medicine\b}, 'the error names the field');

    write_file("$dir/scan.pdf", "%PDF-1.4\n");
    ($status, $bundle) = run($abdm,
        qw(fhir build --type HealthDocumentRecord --patient UH1 --care-context OPD-1),
        qw(--date 2026-03-05 --facility IN1 --facility-name Demo), "$dir/scan.pdf");
    is($status, 0, 'a file becomes a bundle');
    write_file("$dir/bundle.json", $bundle);
    ($status, $output) = run($abdm, qw(fhir check --strict), "$dir/bundle.json");
    is("$status$output", '0', 'the bundle of a file passes the check');
    ($status) = run($abdm, qw(fhir build --type Nonsense), $path);
    isnt($status, 0, 'a type that does not exist is refused');
}

if (!-d "$fhir/examples") {
    done_testing();
    exit 0;
}

# --- the examples ---

my @conformant = sort glob "$fhir/examples/conformant/*.json";
my @broken     = sort glob "$fhir/examples/broken/*.json";

{
    my ($status, $output) = run($abdm, qw(fhir check --strict), @conformant);
    is($status, 0, 'every conformant example passes');
    is($output, q{}, 'of a conformant example nothing is said');

    my $found = 0;
    for my $path (@broken) {
        my ($name) = basename($path) =~ /\A(n\d+)/;
        next if !defined $BROKEN{$name};
        ($status, $output) = run($abdm, qw(fhir check), $path);
        my $there = $status == 1 && index($output, "error $BROKEN{$name}: ") >= 0;
        $found += $there;
        ok($there, basename($path) . " has $BROKEN{$name}") or diag($output);
    }
    cmp_ok($found, '>=', 0.95 * (@broken - 1), 'at least 95 % of the broken examples are found');

    my ($legal) = grep {/n43_/} @broken;
    ($status, $output) = run($abdm, qw(fhir check), $legal);
    is($status, 0, 'an order of sections that is legal is no error');
    like($output, qr/warning F_SECTION_ORDER/, 'an order of sections that is legal is a warning');
    ($status) = run($abdm, qw(fhir check --strict), $legal);
    is($status, 1, 'with --strict a warning is enough');

    for my $path (@conformant) {
        ($status, $output) = run($abdm, qw(fhir preview), $path);
        ok($status == 0 && $output =~ /\A<!doctype html>.*<\/html>\n\z/s,
            basename($path) . ' has a page');
    }
}

# --- mutations ---

# Every place in a value, as paths.
sub places {
    my ($value, @path) = @_;
    my @keys;
    @keys = sort keys %$value if ref $value eq 'HASH';
    @keys = 0 .. $#$value     if ref $value eq 'ARRAY';
    return map {
        my $next = ref $value eq 'HASH' ? $value->{$_} : $value->[$_];
        ([@path, $_], places($next, @path, $_))
    } @keys;
}

sub altered {
    my ($value) = @_;
    return { %$value, bogus => 'x' }    if ref $value eq 'HASH';
    return [@$value, $value->[0]]       if ref $value eq 'ARRAY';
    return 'true'                       if Cpanel::JSON::XS::is_bool($value);
    return "$value x"                   if $value =~ /\A[\d.]{1,5}\z/;
    my ($first, $rest) = $value =~ /\A(.)(.*)\z/s or return 'x';
    return $first =~ /[a-z]/ ? uc($first) . $rest : lc($first) . "q$rest";
}

my %MUTATIONS = (
    delete => undef,
    alter  => \&altered,
    empty  => sub { my ($v) = @_; return ref $v eq 'HASH' ? {} : ref $v eq 'ARRAY' ? [] : q{} },
    null   => sub { return },
    wrap   => sub { my ($v) = @_; return ref $v eq 'ARRAY' ? $v->[0] : [$v] },
);

sub mutate {
    my ($document, $mutation, @path) = @_;
    my $last = pop @path;
    my $in   = $document;
    $in = ref $in eq 'HASH' ? $in->{$_} : $in->[$_] for @path;
    my $change = $MUTATIONS{$mutation};
    if (!$change) {
        ref $in eq 'HASH' ? delete $in->{$last} : splice @$in, $last, 1;
    }
    elsif (ref $in eq 'HASH') {
        $in->{$last} = scalar $change->($in->{$last});
    }
    else {
        $in->[$last] = scalar $change->($in->[$last]);
    }
    return $document;
}

# The other checker ends with an exception when it meets these, so they are left out.
sub is_too_odd {
    my ($mutation, @path) = @_;
    return ($mutation eq 'null' && $path[-1] =~ /\A\d+\z/)
        || ($mutation =~ /\A(?:null|wrap)\z/ && $path[-1] =~ /\A(?:fullUrl|entry|resource)\z/)
        || ($mutation eq 'wrap' && grep { $_ eq 'profile' } @path);
}

# Writes the sample; gives the names of the files, which say what was done.
sub write_mutations {
    my @names;
    my $count = 0;
    for my $path (@conformant) {
        my $text = read_file($path);
        my $of   = basename($path, '.json');
        for my $place (places($json->decode($text))) {
            for my $mutation (sort keys %MUTATIONS) {
                next if is_too_odd($mutation, @$place) || $count++ % $step;
                my $name = join q{-}, $of, $mutation, join q{.}, @$place;
                write_file("$dir/$name.json",
                    $json->encode(mutate($json->decode($text), $mutation, @$place)));
                push @names, $name;
            }
        }
    }
    return @names;
}

sub in_batches {
    my ($size, @list) = @_;
    my @batches;
    push @batches, [splice @list, 0, $size] while @list;
    return @batches;
}

# Which of the documents conform, by the other checker. One that ends it with an exception does not.
sub judged_by_other {
    my (@names) = @_;
    my %fine;
    while (my @batch = splice @names, 0, 500) {
        my (undef, $output) =
            run('node', "$validator/val_nrces.mjs", '--strict', map {"$dir/$_.json"} @batch);
        while ($output =~ /^(PASS|FAIL) (\S+)[.]json/mg) {
            $fine{ basename($2) } = $1 eq 'PASS';
        }
        my @left = grep { !exists $fine{$_} } @batch;
        note("the other checker ends at $left[0]") if @left;
        $fine{ shift @left } = 0                   if @left;
        unshift @names, @left;
    }
    return \%fine;
}

# And by ours: an order of sections that the other refuses with --strict is a warning here.
sub judged_by_us {
    my (@names) = @_;
    my %fine;
    for my $batch (in_batches(500, @names)) {
        my (undef, $output) = run($abdm, qw(fhir check --json), map {"$dir/$_.json"} @$batch);
        for my $line (split /\n/, $output) {
            my $report = $json->decode($line);
            my $order  = grep { $_->{code} eq 'F_SECTION_ORDER' } @{ $report->{findings} };
            $fine{ basename($report->{file}, '.json') } = $report->{errors} == 0 && !$order;
        }
    }
    return \%fine;
}

SKIP: {
    my $missing = checker_missing($root);
    skip $missing, 4 if $missing;

    my @names  = write_mutations();
    my $theirs = judged_by_other(@names);
    my $ours   = judged_by_us(@names);
    is(scalar keys %$theirs, scalar @names, 'the other checker judged every mutation');
    is(scalar keys %$ours,   scalar @names, 'abdm judged every mutation');

    my @differ = grep { !!$ours->{$_} != !!$theirs->{$_} } @names;
    my @unexplained = grep {
        my $name = $_;
        !grep { $name =~ $_->[0] } @KNOWN
    } @differ;
    my $broken = grep { !$theirs->{$_} } @names;
    diag(sprintf '%d mutations, %d of them broken: agreement %.2f %%',
        scalar @names, $broken, 100 * (@names - @differ) / @names);
    cmp_ok(@names - @differ, '>=', 0.99 * @names, 'both agree on at least 99 %');
    is("@unexplained", q{}, 'every difference is a known one');
}

done_testing();
