package Test::TinyLinker;

# The smallest HIP that can link and share: as Test::TinyHIP, with the messages of Milestone 2. Each is
# right unless it is told to change something.

use Mojo::Base 'Test::TinyHIP', -signatures;
use Cpanel::JSON::XS ();
use MIME::Base64 ();
use Mojo::IOLoop;
use Sim::Clock qw(iso new_uuid);

my $UIL  = '/api/hiecm/user-initiated-linking/v3';
my $AUTH = '/gateway/v0.5/users/auth';
my %PATH = (
    generate_token => '/api/hiecm/v3/token/generate-token',
    carecontext    => '/api/hiecm/hip/v3/link/carecontext',
    context_notify => '/api/hiecm/hip/v3/link/context/notify',
    sms_notify     => '/api/hiecm/hip/v3/link/patient/links/sms/notify2',
    on_discover    => "$UIL/patient/care-context/on-discover",
    on_init        => "$UIL/link/care-context/on-init",
    on_confirm     => "$UIL/link/care-context/on-confirm",
    on_share       => '/api/hiecm/patient-share/v3/on-share',
    on_status      => '/gateway/v0.5/patients/status/on-notify',
    fetch_modes    => "$AUTH/fetch-modes",
    auth_init      => "$AUTH/init",
    auth_confirm   => "$AUTH/confirm",
    auth_on_notify => "$AUTH/on-notify",
    fetch          => '/api/hiecm/consent/v3/fetch',
    bridge_url     => '/api/hiecm/gateway/v3/bridge/url',
    register       => '/v4/int/v1/bridges/MutipleHRPAddUpdateServices',
);
my %CALLBACK = (
    token => 'hip/token/on-generate-token$', linked => 'link/on_carecontext$', noticed => 'links/context/on-notify$',
    sms => 'patients/sms/on-notify$', discover => 'care-context/discover$', init => 'hip/link/care-context/init$',
    confirm => 'care-context/confirm$', share => 'hip/patient/share$', status => 'v0.5/patients/status/notify$',
    modes => 'users/auth/on-fetch-modes$', auth_begun => 'users/auth/on-init$', auth_done => 'users/auth/on-confirm$',
    auth_said => 'users/auth/notify$', fetched => 'hiu/consent/on-fetch$',
);

has 'link_token';

# A message of this module's kinds; `old` puts requestId and timestamp into the body, as v0.5 wants.
sub message ($self, $kind, $body, %change) {
    my $path = $PATH{$kind} or return $self->SUPER::message($kind, $body, %change);
    if (delete $change{old}) {
        my ($id, $now) = (new_uuid(), iso());
        $change{headers} = { 'REQUEST-ID' => $id, TIMESTAMP => $now, %{ $change{headers} // {} } };
        $body = { requestId => $id, timestamp => $now, %$body };
    }
    return $self->SUPER::message($kind, $body, path => $path, %change);
}

# The newest callback of a kind, waiting for the first or for number $count; undefined after two seconds.
sub callback ($self, $kind, $count = 1, $seconds = 2) {
    my $over  = 0;
    my $timer = Mojo::IOLoop->timer($seconds => sub { $over = 1 });
    my $found = sub { grep { $_->{path} =~ /$CALLBACK{$kind}/ } @{ $self->received } };
    Mojo::IOLoop->one_tick while !$over && $found->() < $count;
    Mojo::IOLoop->remove($timer);
    my @all = $found->();
    return @all >= $count ? $all[-1] : undef;
}

# A part of a JWT.
sub decoded ($self, $part) { return Cpanel::JSON::XS->new->decode(MIME::Base64::decode_base64url($part)) }

sub _echo ($callback) { return (response => { requestId => $callback->{headers}->header('REQUEST-ID') }) }

sub generate_token ($self, %change) {
    return $self->call(generate_token => { abhaNumber => 91_111_222_233_334, abhaAddress => 'asha.k@sbx',
        name => 'Asha Kumari', gender => 'F', yearOfBirth => 1988 }, %change);
}

# Asks for a token and takes it.
sub get_token ($self, %change) {
    my $before = grep { $_->{path} =~ /$CALLBACK{token}/ } @{ $self->received };
    $self->generate_token(%change);
    $self->link_token(($self->callback(token => $before + 1) // { body => {} })->{body}{linkToken});
    return $self;
}

sub element ($self, @contexts) {
    return { referenceNumber => 'UH100231', display => 'Asha K', hiType => 'OPConsultation', count => scalar @contexts,
        careContexts => [map { +{ referenceNumber => $_, display => "Visit $_" } } @contexts] };
}

sub carecontext ($self, %change) {
    my $headers = { 'X-LINK-TOKEN' => $self->link_token, %{ $change{headers} // {} } };
    return $self->call(carecontext => { abhaNumber => '91111222233334', abhaAddress => 'asha.k@sbx',
        patient => [$self->element('OPD-26-0771')] }, %change, headers => $headers);
}

sub context_notify ($self, %change) {
    return $self->call(context_notify => { notification => {
        patient => { id => 'asha.k@sbx' }, hiTypes => ['OPConsultation'], date => iso(), hip => { id => $self->hip },
        careContext => { patientReference => 'UH100231', careContextReference => 'OPD-26-0771' },
    } }, %change);
}

sub sms_notify ($self, %change) {
    return $self->call(sms_notify => { notification => { phoneNo => '+91-9000000001', hip => { id => $self->hip } } }, %change);
}

sub on_discover ($self, %change) {
    my $asked = $self->callback('discover');
    return $self->call(on_discover => { transactionId => $asked->{body}{transactionId}, matchedBy => ['MOBILE'],
        patient => [$self->element('OPD-26-0771')], _echo($asked) }, %change);
}

sub on_init ($self, %change) {
    my $asked = $self->callback('init');
    return $self->call(on_init => { transactionId => $asked->{body}{transactionId}, _echo($asked), link => {
        referenceNumber => new_uuid(), authenticationType => 'DIRECT',
        meta => { communicationMedium => 'MOBILE', communicationHint => 'xxxxxx0001', communicationExpiry => iso(Sim::Clock::now() + 600) },
    } }, %change);
}

sub on_confirm ($self, %change) {
    my $asked = $self->callback('confirm');
    return $self->call(on_confirm => { patient => [$self->element('OPD-26-0771')], _echo($asked) }, %change);
}

sub on_share ($self, %change) {
    my $asked = $self->callback('share');
    return $self->call(on_share => { _echo($asked), acknowledgement => {
        status => 'SUCCESS', abhaAddress => $asked->{body}{profile}{patient}{abhaAddress},
        profile => { context => $asked->{body}{metaData}{context}, tokenNumber => '17', expiry => '1800' },
    } }, %change);
}

sub _old_echo ($callback) { return (resp => { requestId => $callback->{headers}->header('REQUEST-ID') }) }

sub on_status ($self, %change) {
    return $self->call(on_status => { acknowledgment => { status => 'OK' }, _old_echo($self->callback('status')) }, old => 1, %change);
}

sub auth_on_notify ($self, %change) {
    return $self->call(auth_on_notify => { acknowledgement => { status => 'OK' }, _old_echo($self->callback('auth_said')) },
        old => 1, %change);
}

sub _query ($self, %more) {
    return (query => { id => 'asha.k@sbx', purpose => 'KYC_AND_LINK', requester => { type => 'HIP', id => $self->hip }, %more });
}

sub fetch_modes ($self, %change) { return $self->call(fetch_modes => { $self->_query }, old => 1, %change) }

sub auth_init ($self, $mode, %change) {
    return $self->call(auth_init => { $self->_query(authMode => $mode) }, old => 1, %change);
}

sub auth_confirm ($self, $credential, %change) {
    my $id = $self->callback('auth_begun')->{body}{auth}{transactionId};
    return $self->call(auth_confirm => { transactionId => $id, credential => $credential }, old => 1, %change);
}

sub fetch ($self, $id, %change) { return $self->call(fetch => { consentId => $id }, %change) }

sub bridge_url ($self, $url, %change) { return $self->call(bridge_url => { url => $url }, method => 'PATCH', %change) }

sub ask ($self, $path, %change) { return $self->call(ask => undef, path => $path, method => 'GET', headers => { 'Content-Type' => undef }, %change) }

sub register ($self, %change) {
    my %headers = map { $_ => undef } qw(REQUEST-ID TIMESTAMP X-CM-ID X-HIP-ID);
    return $self->call(register => { facilityId => 'IN0990001234', facilityName => 'Demo Hospital',
        HRP => [{ bridgeId => 'SBXID_000001', hipName => 'DEMO', type => 'HIP', active => Cpanel::JSON::XS::true }] },
        %change, headers => { %headers, %{ $change{headers} // {} } });
}

# The hospital's SMS, as JSON.
sub send_sms ($self, $mobile, $text, %change) {
    my %headers = map { $_ => undef } qw(REQUEST-ID TIMESTAMP X-CM-ID X-HIP-ID Authorization);
    return $self->call(sms => { to => $mobile, message => $text }, path => '/sms/send', headers => \%headers, %change);
}

1;
