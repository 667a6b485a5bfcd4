package Sim::Registry;

# Who is where: the bridge and its URL, the facilities behind it, their registration, and what a citizen
# finds when searching for a hospital.

use Mojo::Base -strict, -signatures;
use Cpanel::JSON::XS ();
use Sim::Check qw(answer check_body);
use Sim::Clock qw(iso);

my $BASE = '/api/hiecm/gateway/v3';
my %READ = (bearer => 1);

our %ROUTE = (
    "$BASE/bridge/url"      => ['PATCH', \&bridge_url, { bearer => 1, body => 1 }],
    "$BASE/bridge-services" => ['GET', \&services, \%READ],
    "$BASE/providers"       => ['GET', \&providers, { bearer => 1, query => 1 }],
    "$BASE/.well-known/openid-configuration" => ['GET', \&configuration, \%READ],
    '/auth/realms/central-registry/.well-known/openid-configuration' => ['GET', \&realm, undef],
    '/v4/int/v1/bridges/MutipleHRPAddUpdateServices' => ['POST', \&register, { bearer => 1, body => 1, registry => 1 }],
);

# Paths with an id in them.
our @PATTERN = (
    [qr{\A\Q$BASE\E/bridge-service/serviceId/([^/]+)\z}, ['GET', \&service, \%READ]],
    [qr{\A\Q$BASE\E/providers/([^/]+)\z}, ['GET', \&provider, \%READ]],
);

sub bridge_url ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'bridge_url');
    return $refusal if !$body;
    $call->{body} = $body;
    return if $refused || $call->{lost};
    $state->config->{bridge_url} = $body->{url} =~ s{/\z}{}r;
    return answer(202);
}

sub configuration ($state, $c, $call, $refused) { return answer(200, { jwks_uri => $state->public_url . "$BASE/certs" }) }

sub realm ($state, $c, $call, $refused) {
    my $issuer = $state->issuer;
    return answer(200, { issuer => $issuer, jwks_uri => "$issuer/protocol/openid-connect/certs" });
}

sub _endpoints ($state) {
    return { hipEndpoints => [{ use => 'registration', connectionType => 'https', address => $state->config->{bridge_url} }] };
}

sub services ($state, $c, $call, $refused) {
    my $config = $state->config;
    my @ids    = sort keys %{ $config->{hips} };
    return answer(204) if !@ids;
    return answer(200, {
        bridge   => { id => $config->{client_id}, name => 'Simulated bridge', url => $config->{bridge_url},
            active => Cpanel::JSON::XS::true, blocklisted => Cpanel::JSON::XS::false },
        services => [map { +{ id => $_, name => $config->{hips}{$_}, types => [qw(HIP HIU)], active => Cpanel::JSON::XS::true,
            endpoints => _endpoints($state) } } @ids],
    });
}

sub service ($state, $c, $call, $refused) {
    my ($id) = $call->{path} =~ m{([^/]+)\z};
    my $name = $state->config->{hips}{$id};
    return answer(404, { code => '404', type => 'Status report', message => 'Runtime Error', description => 'No such service' })
        if !defined $name;
    my $at = iso() =~ tr/TZ/ /dr;
    my %is = map { $_ => Cpanel::JSON::XS::false } qw(isPhr isHealthLocker);
    return answer(200, {
        id => $id, bridgeId => $state->config->{client_id}, serviceId => $id, name => $name, %is, active => Cpanel::JSON::XS::true,
        isHip => Cpanel::JSON::XS::true, isHiu => Cpanel::JSON::XS::true, endpoints => _endpoints($state),
        registerTime => $at, dateCreated => $at, dateModified => $at,
    });
}

sub _provider ($id, $name) {
    return { identifier => { name => $name, id => $id }, facilityType => ['HIP'], isHIP => Cpanel::JSON::XS::true };
}

# What a search for a name finds.
sub found ($state, $part) {
    my $hips = $state->config->{hips};
    return map { _provider($_, $hips->{$_}) } grep { index(lc $hips->{$_}, lc $part) >= 0 } sort keys %$hips;
}

sub providers ($state, $c, $call, $refused) {
    return answer(200, [found($state, $c->req->url->query->param('name') // '')]);
}

sub provider ($state, $c, $call, $refused) {
    my ($id) = $call->{path} =~ m{([^/]+)\z};
    my $name = $state->config->{hips}{$id} // return answer(404, { code => '404', type => 'Status report', message => 'Runtime Error' });
    return answer(200, _provider($id, $name));
}

# The facility registry, on another host in reality. It answers 200 to everything.
sub register ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'registry');
    my $config = $state->config;
    $call->{body} = $body if $body;
    return _invalid('facilityId') if !$body || $config->{registry} eq 'invalid';
    for my $entry (grep { $_->{bridgeId} ne $config->{client_id} } @{ $body->{HRP} }) {
        $state->violate($call, 'registry.bridge', "bridgeId $entry->{bridgeId} is not the client");
        return _invalid('bridgeId');
    }
    return if $refused || $call->{lost};
    my $kind = $config->{registry};
    my $id   = "$body->{facilityId}_1";
    if ($kind eq 'auto') {
        my $registered = $config->{facilities}{ $body->{facilityId} };
        $kind = !defined $registered || $registered ne $body->{facilityName} ? 'name' : $config->{hips}{$id} ? 'associated' : 'linked';
    }
    return _refused('Provided facility name is not matched with the registered facility name') if $kind eq 'name';
    return _refused("Facility is already associated with the bridge, service id: $id") if $kind eq 'associated';
    $config->{hips}{$id} //= $body->{facilityName};
    return answer(200, [{ servicesLinked => { id => $id, name => $body->{facilityName}, types => ['HIP'], active => Cpanel::JSON::XS::true } }]);
}

sub _refused ($message) { return answer(200, [{ error => { code => '2500', message => $message } }]) }

sub _invalid ($member) {
    return answer(200, { code => 'HIS-400', message => 'Validation failed',
        details => [{ code => 'HIS-1070', message => "invalid $member", attribute => { key => $member, value => '' } }] });
}

1;
