package Certify::Mask;

# Keeps people out of the report: whatever is personal or secret is replaced by a mask that is the same
# wherever the same value stands. Values are masked because they were told to be somebody's, because of the
# name of their member, or because of their form; and a finished report is searched for all that was told.

use strict;
use warnings;
use feature 'signatures';
use utf8;

my $SHORT = 4;    # words of a name that are shorter say nothing

# What a member's name says of its value.
my %MEMBER = (
    (map { $_ => 'token' } qw(linkToken accessToken refreshToken x-link-token)),
    (map { $_ => 'otp' } qw(otp authCode code right_otp)),
    (map { $_ => 'key' } qw(keyValue nonce signature)),
    (map { $_ => 'ciphertext' } qw(content)),
    (map { $_ => 'secret' } qw(clientSecret)),
    (map { $_ => 'birth' } qw(yearOfBirth monthOfBirth dayOfBirth dateOfBirth birthDate dob)),
    (map { $_ => 'place' } qw(line district pincode state_name)),
);

# What a value's form says; in this order. UUIDs and hashes have no such digits standing alone.
my @FORM = (
    [token          => qr/eyJ[\w-]+[.][\w-]+[.][\w-]+/],
    ['push-address' => qr{(?<=/hiu/push/)[^\s"?&\[]+(?:[?]t=[\w-]+)?}],
    ['abha-number'  => qr/(?<![\w-])\d\d-?\d{4}-?\d{4}-?\d{4}(?![\w-])/],
    ['abha-address' => qr/(?<![\w.])[\w.]+\@sbx\b/],
    [mobile         => qr/(?<![\w.-])(?:[+]?91-?)?[6-9]\d{9}(?![\w.-])/],
);

sub new ($class) { return bless { mask => {}, count => {}, people => 0 }, $class }

# Somebody: name, number, mobile, address, uhid; all optional. Gives the number in the masks.
sub person ($self, %who) {
    my $n    = ++$self->{people};
    my %kind = (name => 'name', number => 'abha-number', mobile => 'mobile', address => 'abha-address', uhid => 'patient');
    for my $member (sort keys %kind) {
        next if !length($who{$member} // '');
        $self->_tell("[$kind{$member}-$n]", $who{$member});
    }
    $self->_tell("[abha-number-$n]", $who{number} =~ s/\A(\d\d)(\d{4})(\d{4})(\d{4})\z/$1-$2-$3-$4/r) if length($who{number} // '');
    $self->_tell("[name-$n]", $_) for grep { length >= $SHORT } split ' ', $who{name} // '';
    return $n;
}

# A secret of a kind: "otp", "token", "key".
sub secret ($self, $kind, $value) {
    return '' if !length($value // '');
    return $self->{mask}{ lc $value } // $self->_tell("[$kind-" . ++$self->{count}{$kind} . ']', $value);
}

sub _tell ($self, $mask, $value) {
    delete $self->{pattern};
    return $self->{mask}{ lc $value } //= $mask;
}

# All that was told, the longest first; nothing within a longer word or number.
sub _pattern ($self) {
    return $self->{pattern} //= do {
        my $any = join '|', map { quotemeta } sort { length $b <=> length $a || $a cmp $b } keys %{ $self->{mask} };
        length $any ? qr/(?<![A-Za-z0-9])(?:[+]?91-?(?=[6-9]\d{9}))?($any)(?![A-Za-z0-9])/i : qr/(?!)/;
    };
}

sub text ($self, $text) {
    return $text if !defined $text;
    my $pattern = $self->_pattern;
    $text =~ s/$pattern/$self->{mask}{ lc $1 }/ge;
    for my $form (@FORM) {
        my ($kind, $shape) = @$form;
        $text =~ s/($shape)/$self->secret($kind, $1)/ge;
    }
    return $text;
}

# A copy of a structure; members are masked by their names too.
sub data ($self, $thing, $name = '') {
    if (ref $thing eq 'HASH') {
        return { map { $self->text($_) => $self->data($thing->{$_}, $_) } sort keys %$thing };
    }
    return [map { $self->data($_, $name) } @$thing] if ref $thing eq 'ARRAY';
    return $thing if ref $thing || !defined $thing;
    my $kind = $MEMBER{$name};
    if (!defined $kind || !length $thing || $name eq 'code' && $thing !~ m{\A\d{6}\z}) {
        my $masked = $self->text("$thing");
        return $masked eq $thing ? $thing : $masked;    # a number stays one
    }
    return "[$kind]" if $kind eq 'birth' || $kind eq 'place' || $kind eq 'ciphertext';
    return $self->secret($kind, $thing);
}

# The masks of the values that stand in a text as they are, and of forms that nothing has but a secret.
sub leaks ($self, $text) {
    my $pattern = $self->_pattern;
    my %found;
    while ($text =~ /$pattern/g) { $found{ $self->{mask}{ lc $1 } } = 1 }
    for my $form (@FORM) {
        my ($kind, $shape) = @$form;
        $found{"[$kind]"} = 1 if $text =~ /$shape/;
    }
    my @masks = sort keys %found;
    return @masks;
}

sub known ($self) { return scalar keys %{ $self->{mask} } }

1;
