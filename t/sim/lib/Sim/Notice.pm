package Sim::Notice;

# New data in a linked context, and the SMS by which a citizen without a link learns that there are
# records.

use Mojo::Base -strict, -signatures;
use Sim::Check qw(answer check_body check_envelope refuse);
use Sim::Citizen qw(citizen is_gone linked plain_mobile);
use Sim::Clock qw(iso now now_ms parse_iso);

my %NEED = (bearer => 1, hip => 1, body => 1);

our %ROUTE = (
    '/api/hiecm/hip/v3/link/context/notify'            => ['POST', \&context_notify, \%NEED],
    '/api/hiecm/hip/v3/link/patient/links/sms/notify2' => ['POST', \&sms_notify, \%NEED],
);

sub context_notify ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'context_notify');
    return $refusal if !$body;
    $call->{body} = $body;
    my $said   = $body->{notification};
    my $hip    = $c->req->headers->header('X-HIP-ID') // '';
    my $before = @{ $call->{violations} };
    my $fault  = sub ($rule, $message) { $state->violate($call, $rule, $message) };
    $fault->('hip-id.other', 'hip.id is not that of the header') if $said->{hip}{id} ne $hip;
    my $date = parse_iso($said->{date});
    $fault->('notice.date', 'date is no past time') if !defined $date || $date > now() + 5;
    return refuse(400, 1035, 'Invalid HIP ID') if @{ $call->{violations} } > $before && !$refused;
    return if $refused || $call->{lost};
    my $error = _notice_error($state, $hip, $said, $fault);
    push @{ $state->notices }, {
        hip => $hip, address => $said->{patient}{id}, context => $said->{careContext}{careContextReference},
        hi_types => $said->{hiTypes}, date => $said->{date}, at => iso(), result => $error ? "ABDM-$error->[0]" : 'SUCCESS',
    };
    $state->outbox->post({ path => '/api/v3/links/context/on-notify', hip => $hip, body => {
        acknowledgement => { status => $error ? 'ERRORED' : 'SUCCESS' },
        error => $error ? { code => "ABDM-$error->[0]", message => $error->[1] } : undef,
        response => { requestId => $c->req->headers->header('REQUEST-ID') },
    } });
    return answer(202);
}

# Too early is an error without blame.
sub _notice_error ($state, $hip, $said, $fault) {
    my $none    = ['1006', 'No linked care context found'];
    my $context = $said->{careContext};
    my $citizen = citizen($state, $said->{patient}{id});
    if ($citizen && is_gone($citizen, $hip)) {
        $fault->('citizen.gone', 'this ABHA was reported as deactivated');
        return ['1407', 'ABHA number deactivated'];
    }
    my $link = $citizen ? linked($state, $citizen->{address}, $hip)->{ $context->{careContextReference} } : undef;
    if (!$link) {
        $fault->('notice.unlinked', "$context->{careContextReference} is not linked");
        return $none;
    }
    if ($context->{patientReference} ne $link->{patient_reference}) {
        $fault->('notice.patient', 'patientReference is not that of the link');
        return ['1060', 'Invalid patient reference'];
    }
    return $none if now() - $link->{linked_at} < $state->config->{notify_after_seconds};
    return;
}

sub sms_notify ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'sms_notify');
    return $refusal if !$body;
    $call->{body} = $body;
    my $no = check_envelope($state, $c, $call, $body);
    return $no if $no;
    my $said = $body->{notification};
    my $hip  = $c->req->headers->header('X-HIP-ID') // '';
    if ($said->{hip}{id} ne $hip) {
        $state->violate($call, 'hip-id.other', 'hip.id is not that of the header');
        return refuse(400, 1035, 'Invalid HIP ID');
    }
    return if $refused || $call->{lost};
    my $name = $said->{hip}{name} // $state->config->{hips}{$hip};
    push @{ $state->deep_links }, {
        mobile => plain_mobile($said->{phoneNo}), hip => $hip, at => iso(), ms => now_ms(),
        text => "$name has health records of yours. See them: https://phrsbx.abdm.gov.in/discover?hip-id=$hip",
    };
    my $id = $c->req->headers->header('REQUEST-ID');
    $state->outbox->post({ path => '/api/v3/patients/sms/on-notify', hip => $hip, body => $state->config->{sms_shape} eq 'resp'
        ? { requestId => undef, timestamp => undef, status => 'ACKNOWLEDGED', error => undef, resp => { requestId => $id } }
        : { acknowledgement => { status => 'SUCCESS' }, error => undef, response => { requestId => $id } } });
    return answer(202);
}

1;
