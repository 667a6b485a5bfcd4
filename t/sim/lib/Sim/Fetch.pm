package Sim::Fetch;

# A consent artefact is fetched again by the facility that it names.

use Mojo::Base -strict, -signatures;
use Sim::Check qw(answer check_body);
use Sim::Cm;

our %ROUTE = ('/api/hiecm/consent/v3/fetch' => ['POST', \&fetch, { bearer => 1, hip => 1, hiu => 1, body => 1 }]);

# What the setting "fetch" makes of the artefact.
my %MISMATCH = (patient => { id => 'somebody.else@sbx' }, hiTypes => ['Invoice']);

sub fetch ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'fetch');
    return $refusal if !$body;
    $call->{body} = $body;
    return if $refused || $call->{lost};
    my $headers = $c->req->headers;
    my $how     = $state->config->{fetch};
    return answer(403, { code => '900908', message => 'Resource forbidden', description => 'no such right' }) if $how eq 'refuse';
    return answer(404, { code => '404', type => 'Status report', message => 'Not Found' }) if $how eq 'unknown_right';
    return answer(202) if $how eq 'silent';
    my $consent = $how eq 'unknown' ? undef : $state->consents->{ $body->{consentId} };
    my $mine    = $headers->header('X-HIP-ID') // $headers->header('X-HIU-ID');
    $consent = undef if $consent && !grep { ($consent->{detail}{$_}{id} // '') eq $mine } qw(hip hiu);
    my $known  = $consent && $consent->{status} ne 'REQUESTED';
    my %answer = (response => { requestId => $headers->header('REQUEST-ID') }, error => undef);
    if ($known) {
        my $detail = $how eq 'mismatch' ? Sim::Cm::merge($consent->{detail}, \%MISMATCH) : $consent->{detail};
        $answer{consent} = { status => $consent->{status}, consentDetail => $detail, signature => $consent->{signature} };
    }
    else { $answer{error} = { code => 'ABDM-1080', message => 'Invalid consent artefact id' } }
    my %who = defined $headers->header('X-HIP-ID') ? () : ('X-HIP-ID' => undef, 'X-HIU-ID' => $mine);
    $state->outbox->post({ path => '/api/v3/hiu/consent/on-fetch', hip => $mine, body => \%answer, headers => \%who });
    return answer(202);
}

1;
