package Certify;

# From the rows of the official sheets and what was seen of each to verdicts. A row is listed whether
# anything was shown of it or not, and passes only when every step that was announced was taken, each with
# checks that all held: nothing becomes green by being left out.

use strict;
use warnings;
use feature 'signatures';
use utf8;

use Exporter qw(import);

our @EXPORT_OK = qw(load_rows load_claimed compare_ids play faults verdict_of judge verdict_counts shortfalls);

our $PASS    = 'pass';
our $FAIL    = 'fail';
our $NOT     = 'not-demonstrated';
our $ALL     = 282;    # official rows: M1 54, M2 24, M3 14, PHR 190
my @COLUMNS  = qw(id milestone mandatory requirement);
my %IS_MUST  = (yes => 1, no => 0);

sub _lines ($path) {
    open my $file, '<:encoding(UTF-8)', $path or die "$path: $!\n";
    my @lines = <$file>;
    close $file or die "$path: $!\n";
    chomp @lines;
    return @lines;
}

# The rows in the order of the sheets; dies when one is missing, ill-formed or there twice.
sub load_rows ($path) {
    my ($head, @lines) = _lines($path);
    die "$path: the first line is not '@COLUMNS'\n" if ($head // '') ne join "\t", @COLUMNS;
    my (@rows, %seen);
    for my $line (@lines) {
        my %row;
        @row{@COLUMNS} = split /\t/, $line;
        die "$path: '$line': four columns are expected\n" if grep { !length($row{$_} // '') } @COLUMNS;
        die "$path: $row{id}: mandatory is yes or no\n"   if !exists $IS_MUST{ $row{mandatory} };
        die "$path: $row{id} is there twice\n"            if $seen{ $row{id} }++;
        $row{mandatory} = $IS_MUST{ $row{mandatory} };
        push @rows, \%row;
    }
    die "$path: " . @rows . " rows, $ALL are expected\n" if @rows != $ALL;
    return \@rows;
}

# The ids that a run must show, one a line; '#' begins a remark.
sub load_claimed ($path) {
    return [grep { length } map { s/\s*#.*//r } _lines($path)];
}

# Dies when a demonstration or a claim is of no official row.
sub compare_ids ($rows, $demonstrations, $claimed) {
    my %known   = map { $_->{id} => 1 } @$rows;
    my @unknown = grep { !$known{$_} } sort(keys %$demonstrations), @$claimed;
    die "no official row is called: @unknown\n" if @unknown;
    return 1;
}

# Takes the steps of a demonstration, [words => code] each, one after the other, and gives what was
# seen: a list of {step, checks, evidence, taken, died}. The first step that dies is the last one taken.
# $scene has begin(step), end(step) and is given to each step's code.
sub play ($scene, @steps) {
    my @seen = map { +{ step => $_->[0], checks => [], evidence => [], taken => 0 } } @steps;
    for my $n (0 .. $#steps) {
        my $seen = $seen[$n];
        $scene->begin($seen);
        my $done = eval { $steps[$n][1]->($scene); 1 };
        my $why  = $@;
        $seen->{died}  = _one_line($why) if !$done;
        $seen->{taken} = 1;
        $scene->end($seen);
        last if !$done;
    }
    return \@seen;
}

sub _one_line ($text) { return "$text" =~ s/\s+/ /gr =~ s/\s\z//r }

# Why a demonstration is no proof; nothing when it is.
sub faults ($seen) {
    return 'it has no steps' if !@$seen;
    my @faults;
    for my $step (@$seen) {
        if    (!$step->{taken})        { push @faults, "not reached: $step->{step}" }
        elsif (defined $step->{died})  { push @faults, "broken off: $step->{step}: $step->{died}" }
        elsif (!@{ $step->{checks} })  { push @faults, "nothing was checked: $step->{step}" }
        push @faults, map { "did not hold: $_->{text}" } grep { !$_->{ok} } @{ $step->{checks} };
    }
    return @faults;
}

sub verdict_of ($seen) {
    return $NOT if !defined $seen;
    return faults($seen) ? $FAIL : $PASS;
}

# All official rows with their verdicts. $seen: {id => what play gave}.
sub judge ($rows, $seen) {
    return [map {
        my $row = $_;
        my $of  = $seen->{ $row->{id} };
        +{ %$row, verdict => verdict_of($of), evidence => $of // [], faults => [defined $of ? faults($of) : ()] };
    } @$rows];
}

# {milestone => {rows, mandatory, pass, fail, not-demonstrated}}, and "all".
sub verdict_counts ($judged) {
    my %total;
    for my $row (@$judged) {
        for my $group ($row->{milestone}, 'all') {
            my $of = $total{$group} //= { rows => 0, mandatory => 0, $PASS => 0, $FAIL => 0, $NOT => 0 };
            $of->{rows}++;
            $of->{mandatory}++ if $row->{mandatory};
            $of->{ $row->{verdict} }++;
        }
    }
    return \%total;
}

# Why the run as a whole is not green; nothing when it is. $conduct: checks of the whole run.
sub shortfalls ($judged, $claimed, $conduct = []) {
    my %verdict = map { $_->{id} => $_->{verdict} } @$judged;
    my @short = map { "$_ is claimed and $verdict{$_}" } grep { $verdict{$_} ne $PASS } @$claimed;
    my %claimed = map { $_ => 1 } @$claimed;
    push @short, map { "$_->{id} fails" } grep { $_->{verdict} eq $FAIL && !$claimed{ $_->{id} } } @$judged;
    push @short, map { "the run: $_->{text}" } grep { !$_->{ok} } @$conduct;
    push @short, 'nothing is claimed' if !@$claimed;
    return @short;
}

1;
