package Sim::PatientLinks;

# The "patient" array of linking and discovery: one element for each HI type (a second one only when
# the first has its 20 contexts), all of one patient, with labels that tell nothing of the illness.

use Mojo::Base -strict, -signatures;
use Exporter 'import';
use Sim::Citizen qw(own_words);

my $FULL = 20;

our @EXPORT_OK = qw(patient_faults rows_of references_of);

# Records every fault; true when a count is wrong, which the gateway reports in its own way.
sub patient_faults ($state, $call, $patients, $citizen) {
    my $fault = sub ($rule, $message) { $state->violate($call, $rule, $message) };
    my (%open, %patient, %seen, $miscounted);
    for my $element (@$patients) {
        my $type = $element->{hiType};
        $fault->('patient.hi-type-twice', "two elements for $type") if $open{$type};
        $open{$type} = @{ $element->{careContexts} } < $FULL;
        $patient{ $element->{referenceNumber} } = 1;
        for my $context (@{ $element->{careContexts} }) {
            $fault->('patient.context-twice', "$context->{referenceNumber} twice with $type")
                if $seen{$type}{ $context->{referenceNumber} }++;
            _label_faults($state, $citizen, $context->{display}, $fault);
        }
        _label_faults($state, $citizen, $element->{display}, $fault);
        next if $element->{count} == @{ $element->{careContexts} };
        $miscounted = 1;
        $fault->('patient.count', 'count is not the number of care contexts');
    }
    $fault->('patient.several', 'more than one patient in one message') if keys %patient > 1;
    return $miscounted;
}

sub _label_faults ($state, $citizen, $label, $fault) {
    my ($word) = grep { index(lc $label, lc $_) >= 0 } @{ $state->config->{clinical_words} };
    $fault->('display.clinical', "a label says \"$word\"") if defined $word;
    my $digits = $label =~ tr/0-9//cdr;
    $fault->('display.personal', 'a label shows a number of the citizen')
        if $citizen && grep { index($digits, $_) >= 0 } own_words($citizen);
    return;
}

# One row for each context and HI type.
sub rows_of ($patients, $how) {
    return map {
        my $element = $_;
        map { +{
            context => $_->{referenceNumber}, display => $_->{display}, hi_type => $element->{hiType}, how => $how,
            patient_reference => $element->{referenceNumber}, patient_display => $element->{display},
        } } @{ $element->{careContexts} };
    } @$patients;
}

# The references, each once, in order.
sub references_of ($patients) {
    my %seen;
    return grep { !$seen{$_}++ } map { map { $_->{referenceNumber} } @{ $_->{careContexts} } } @$patients;
}

1;
