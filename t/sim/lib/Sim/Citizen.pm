package Sim::Citizen;

# The holders of ABHA numbers that the simulated ABDM knows, and what is linked to each. Besides those
# that were made by the control API and four of the demo hospital, any address cNNNNN@sbx exists: a
# synthetic citizen whose particulars follow from the number, as those of the demo HMIS do (README.md has
# the rule).

use Mojo::Base -strict, -signatures;
use Exporter 'import';
use Sim::Clock qw(iso now);

our @EXPORT_OK = qw(add_citizen citizen citizen_by_number add_link linked is_gone plain_mobile uhid_at own_words);

my @SYLLABLE = qw(ka ri mo su ve na pi tu le ja);
my @MODES    = qw(MOBILE_OTP AADHAAR_OTP DEMOGRAPHICS DIRECT);
my @DEMO     = (
    ['asha.k@sbx',   '91111222233334', 'Asha Kumari',  'F', '1988-05-14', '9000000001', 'UH100231'],
    ['ravi.i@sbx',   '91111222233343', 'Ravi Iyer',    'M', '1975-11-02', '9000000002', 'UH100232'],
    ['farida.b@sbx', '91111222233350', 'Farida Begum', 'F', '1961-01-23', '9000000003', 'UH100233'],
    ['arjun.k@sbx',  '91111222233368', 'Arjun Kumari', 'M', '2015-07-30', '9000000001', 'UH100234'],
);
my %DEMO = map {
    my %one;
    @one{qw(address number name gender dob mobile uhid)} = @$_;
    ($one{address} => \%one);
} @DEMO;

# Members: address, number, name, gender, dob (YYYY-MM-DD) or yearOfBirth, mobile; optional: uhid (the
# hospital's number, to notice wrong links), uhids ({facility: uhid}), modes (of v0.5 authentication).
sub add_citizen ($state, $wish) {
    my %citizen = (modes => [@MODES], status => 'ACTIVE', %$wish);
    return (undef, 'address: name@sbx is wanted') if ($citizen{address} // '') !~ /\A[\w.]+@\w+\z/;
    $citizen{address} = lc $citizen{address};
    if (defined $citizen{number}) {
        $citizen{number} =~ tr/-//d;
        return (undef, 'number: 14 digits') if $citizen{number} !~ /\A\d{14}\z/;
    }
    $citizen{yearOfBirth} //= $1 if ($citizen{dob} // '') =~ /\A(\d{4})-/;
    for my $name (qw(name gender yearOfBirth)) { return (undef, "$name is wanted") if !defined $citizen{$name} }
    return $state->citizens->{ $citizen{address} } = \%citizen;
}

sub citizen ($state, $address) {
    return if !defined $address;
    my $key   = lc $address;
    my $known = $state->citizens->{$key};
    return $known if $known;
    my $new = $DEMO{$key} // ($key =~ /\Ac(\d{5})\@sbx\z/ ? _synthetic($1) : undef) or return;
    my ($made) = add_citizen($state, $new);
    return $made;
}

sub citizen_by_number ($state, $number) {
    return citizen($state, "c$1\@sbx") if $number =~ /\A91300000(\d{5})\d\z/;
    for my $demo (values %DEMO) { citizen($state, $demo->{address}) }
    my ($found) = grep { ($_->{number} // '') eq $number } values %{ $state->citizens };
    return $found;
}

sub _synthetic ($digits) {
    my $n    = $digits + 0;
    my @part = map { $SYLLABLE[$_] } split //, $digits;
    my $name = ucfirst(join '', @part[0 .. 2]) . ' ' . ucfirst(join '', @part[3, 4]) . 'n';
    return {
        address => "c$digits\@sbx", number => _with_check_digit("91300000$digits"), name => $name,
        gender  => $n % 2 ? 'M' : 'F', mobile => "98000$digits", uhid => "UH2$digits",
        dob     => 1950 + $n % 60 . '-01-01',
    };
}

# Luhn's check digit.
sub _with_check_digit ($digits) {
    my $sum = 0;
    my $odd = 1;
    for my $digit (reverse split //, $digits) {
        my $value = $odd ? $digit * 2 : $digit;
        $sum += $value > 9 ? $value - 9 : $value;
        $odd = !$odd;
    }
    return $digits . (10 - $sum % 10) % 10;
}

sub plain_mobile ($text) { return substr $text =~ tr/0-9//cdr, -10 }

sub uhid_at ($citizen, $hip) { return $citizen->{uhids}{$hip} // $citizen->{uhid} }

# Deactivated or deleted, and the facility has acknowledged it.
sub is_gone ($citizen, $hip) { return $citizen->{status} !~ /\A(?:ACTIVE|REACTIVATED)\z/ && $citizen->{told}{$hip} }

# What no label may show: a citizen's numbers.
sub own_words ($citizen) { return grep { defined && length } @$citizen{qw(mobile number)} }

# The contexts that are linked at a facility: {reference => link}.
sub linked ($state, $address, $hip) { return $state->links->{ lc $address }{$hip} //= {} }

# $row: context, patient_reference, display, patient_display, hi_type, how (hip, user). A context in
# several elements of one request is linked once; $call tells the requests apart.
sub add_link ($state, $address, $hip, $row, $call) {
    my $all  = linked($state, $address, $hip);
    my $link = $all->{ $row->{context} } //= {
        hip => $hip, (map { $_ => $row->{$_} } qw(context patient_reference display patient_display how)),
        hi_types => [], times => 0, at => iso(), linked_at => now(), call => 0,
    };
    $link->{times}++ if $link->{call} != $call->{n};
    $link->{call} = $call->{n};
    push @{ $link->{hi_types} }, $row->{hi_type} if !grep { $_ eq $row->{hi_type} } @{ $link->{hi_types} };
    return $link;
}

1;
