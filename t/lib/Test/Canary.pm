package Test::Canary;

# What no log may have and the store only sealed: whatever the simulator, the demo HMIS and the bridge
# of one test knew of people, and every secret that was given out. The list is made when the test ends,
# of what was really there; each value is looked for as it is and encoded, in every file of the test that
# it did not write itself, in the store and the unnamed files of the workers as they were while nginx ran,
# in what the command `abdm` printed, and in the exported audit.
#
#   my @birds = Test::Canary::gather($t);     # while all of it still runs
#   my %live  = Test::Canary::live($t);
#   my @found = Test::Canary::leaks($t, \%live, @birds);

use strict;
use warnings;
use feature 'signatures';
use utf8;

use File::Basename qw(dirname);
use File::Find ();
use lib dirname(__FILE__) . '/../../hmis/lib';

use Hmis::Data;
use MIME::Base64 qw(encode_base64);

my $LEAST   = 4;      # bytes; a shorter value says nothing
my $ENCODED = 8;      # bytes; a shorter value is not looked for in other alphabets
my $MOST    = 3000;   # values; of storms a part stands for all
my $WINDOW  = 60;     # bytes of a long value that are looked for

my @STORE = qw(abdm.db abdm.db-wal abdm.db-shm);
# Of the simulator and the HMIS, which may know everybody; and of the last command, see {said} of Test::ABDM.
my $THEIRS = qr{\A(?:certs/|(?:sim|hmis[^/]*)[.]log\z|abdm[.](?:out|err)\z)};
# The hospital's numbers of patients and visits: in no line of ours.
my $NUMBER = qr/^(.*abdm: .*\b(?:UH\d{6}|(?:OPD|IPD)-(?:\d\d|S)-\d{4,5}(?:-\d)?)\b.*)/m;

sub gather ($t) {
    my @birds = (_of_hmis(), _of_files($t));
    if ($t->{pids}{sim}) {
        my $told = eval { $t->sim('/canaries')->{canaries} } // [];
        push @birds, map { _split(@$_{qw(what text)}) } @$told;
    }
    my %seen;
    @birds = grep { length $_->{text} >= $LEAST && !$seen{ $_->{text} }++ } @birds;
    return @birds > $MOST ? @birds[0 .. $MOST - 1] : @birds;
}

# A name is looked for by its parts, a number also as it is written with dashes, of a token the middle.
sub _split ($what, $text) {
    my @all = { what => $what, text => $text };
    if ($what eq 'name') { push @all, map { { what => $what, text => $_ } } grep { length > $LEAST - 1 } split ' ', $text }
    if ($what eq 'number' && $text =~ /\A(\d\d)(\d{4})(\d{4})(\d{4})\z/) { push @all, { what => $what, text => "$1-$2-$3-$4" } }
    if ($what =~ /token|bearer/) { @all = { what => $what, text => substr $text, length($text) / 2, $WINDOW } }
    return @all;
}

sub _of_hmis {
    my $data = Hmis::Data->new;
    my @birds;
    for my $patient (values %{ $data->people }) {
        push @birds, map { { what => "HMIS $_", text => $patient->{$_} } } qw(first last phone village);
    }
    for my $visit (values %{ $data->visits_by_no }) {
        push @birds, { what => 'doctor', text => $visit->{doctor}{name} }, { what => 'doctor', text => $visit->{doctor}{regno} };
        push @birds, map { { what => 'record', text => $_ } } grep { / / || /[^\x00-\x7f]/ } _texts(@$visit{qw(papers note labs)});
    }
    return @birds;
}

# Titles and findings that are more than a word; not the paths of files.
sub _texts (@values) {
    return map {
        ref eq 'ARRAY' ? _texts(@$_)
            : ref eq 'HASH' ? _texts(@$_{ grep { !/\A(?:id|time|date|file|type|kind|sig|review)\z/ } keys %$_ })
            : defined && length ? $_ : ()
    } @values;
}

sub _of_files ($t) {
    my @birds;
    for my $name (qw(secret.key client_secret)) {
        my $text = $t->read_file($name) =~ s/\s+\z//r;
        push @birds, { what => $name, text => $text } if length $text;
    }
    return @birds;
}

# The store and what the workers have in files without a name (spooled records), by name.
sub live ($t) {
    my %bytes = map { ("$_ while it ran" => $t->read_file($_)) } grep { -e "$t->{dir}/$_" } @STORE;
    for my $pid ($t->workers) {
        for my $fd (glob "/proc/$pid/fd/*") {
            my $file = readlink $fd // next;
            next if $file !~ m{\A/.* \(deleted\)\z} || $file =~ m{\A/(?:dev|memfd|SYSV)} || !-f $fd;
            open my $in, '<:raw', $fd or next;
            local $/ = undef;
            $bytes{"spool $pid $fd"} = <$in> // q{};
            close $in or next;
        }
    }
    return %bytes;
}

# The file and what was found in it, each once.
sub leaks ($t, $live, @birds) {
    my (%what, %plain);
    for my $bird (@birds) {
        utf8::encode(my $bytes = $bird->{text});
        $plain{$bytes} = 1;
        $what{$_} //= $bird->{what} for _forms($bytes);
    }
    return if !%what;
    my %heads;
    for my $form (sort { length $b <=> length $a } keys %what) { push @{ $heads{ substr $form, 0, $LEAST } }, $form }
    my %found;
    my %bytes = (%$live, audit => _exported($t), 'output of abdm' => $t->{said} // q{});
    for my $name (_files($t), sort keys %bytes) {
        my $bytes = $bytes{$name} // $t->read_file($name);
        for my $seen (_search($bytes, \%heads)) {
            my ($form, $at) = @$seen;
            # digits and short words within a longer word are chance
            next if $plain{$form} && length $form < 2 * $ENCODED && $form =~ /\A[0-9A-Za-z]+\z/ && _within_word($bytes, $at, length $form);
            $found{"$name: $what{$form}: $form"} //= _around($bytes, $at + length $form);
        }
        if ($name eq 'error.log' && $bytes =~ $NUMBER) { $found{"$name: number of a patient or visit"} = $1 }
    }
    return map { "$_ in \"$found{$_}\"" } sort keys %found;
}

# Every [form, place] in some bytes, by the first bytes of the forms: they are too many for one pattern,
# which perl would try one after another.
sub _search ($bytes, $heads) {
    my @seen;
    for my $at (0 .. length($bytes) - $LEAST) {
        my $forms = $heads->{ substr $bytes, $at, $LEAST } or next;
        push @seen, map { [$_, $at] } grep { substr($bytes, $at, length) eq $_ } @$forms;
    }
    return @seen;
}

sub _within_word ($bytes, $at, $length) {
    return 1 if $at > 0 && substr($bytes, $at - 1, 1) =~ /[0-9A-Za-z]/;
    return substr($bytes, $at + $length, 1) =~ /[0-9A-Za-z]/;
}

# What is in the directory of the test, but not what the test wrote there.
sub _files ($t) {
    my @files;
    File::Find::find({ no_chdir => 1, wanted => sub {
        return if !-f;
        my $name = substr $_, length "$t->{dir}/";
        push @files, $name if !$t->{written}{$name} && $name !~ $THEIRS;
    } }, $t->{dir});
    return @files;
}

# What `abdm audit export` gives away, in both of its forms.
sub _exported ($t) {
    return q{} if !-e "$t->{dir}/abdm.db";
    return join q{}, map { ($t->abdm('--store', "sqlite:$t->{dir}/abdm.db", 'audit', 'export', '--format', $_))[1] } qw(jsonl csv);
}

sub _around ($bytes, $end) {
    my $start = $end > 120 ? $end - 120 : 0;
    return substr($bytes, $start, $end - $start + 40) =~ s/[^\x20-\x7e]/./gr;
}

# A value in the alphabets in which it could hide.
sub _forms ($bytes) {
    my %form = ($bytes => 1);
    $form{ $bytes =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger } = 1;
    $form{ $bytes =~ s/([^A-Za-z0-9._~ -])/sprintf '%%%02X', ord $1/ger =~ tr/ /+/r } = 1;
    if ($bytes =~ /[^\x20-\x7e]/) {
        for my $format ('\\x%02x', '\\x%02X') { $form{ $bytes =~ s/([^\x20-\x7e])/sprintf $format, ord $1/ger } = 1 }
        utf8::decode(my $chars = $bytes);
        $form{ $chars =~ s/([^\x20-\x7e])/sprintf '\\u%04x', ord $1/ger } = 1;
    }
    if (length $bytes >= $ENCODED) {
        for my $format ('%02x', '%02X') { $form{ join '', map { sprintf $format, ord } split //, $bytes } = 1 }
        for my $shift (0 .. 2) {
            my $inner = encode_base64("\0" x $shift . $bytes, '');
            $inner = substr $inner, 4 if $shift;
            $inner =~ s/=+\z//;
            $inner = substr $inner, 0, 4 * int((length($bytes) - ($shift ? 3 - $shift : 0)) / 3);
            $form{$inner} = 1 if length $inner >= $ENCODED;
        }
    }
    return keys %form;
}

1;
