package Sim::Sms;

# The hospital's SMS provider: takes a message in whatever way it is configured to come (any method;
# query, form or JSON) and keeps it. What Indian providers call the number and the text is found by name,
# else by form.

use Mojo::Base -strict, -signatures;
use Cpanel::JSON::XS ();
use Mojo::IOLoop;
use Mojo::Promise;
use Sim::Check qw(answer);
use Sim::Citizen qw(plain_mobile);
use Sim::Clock qw(iso now_ms);

my $JSON   = Cpanel::JSON::XS->new->utf8;
my $MOBILE = qr/\A(?:[+]?91-?)?[6-9]\d{9}\z/;
my %TEXT   = map { $_ => 1 } qw(text message msg body content sms);
my @FOREIGN = qw(X-HIP-ID X-HIU-ID X-CM-ID X-AUTH-TOKEN X-LINK-TOKEN REQUEST-ID);

sub receive ($state, $c, $call, $done) {
    my $headers = $c->req->headers;
    for my $name (grep { defined $headers->header($_) } @FOREIGN) {
        $state->violate($call, 'sms.header', "$name does not belong to an SMS provider");
    }
    my ($token) = ($headers->authorization // '') =~ /\ABearer (\S+)\z/;
    $state->violate($call, 'sms.header', 'the session token of the gateway was given to an SMS provider')
        if defined $token && $state->sessions->{$token};
    my @fields = _fields($c);
    my ($number) = grep { !ref && $_ =~ $MOBILE } map { $_->[1] } @fields;
    if (!defined $number) {
        $state->violate($call, 'sms.number', 'no Indian mobile number is in the message');
        return $done->(answer(400, { status => 'error', message => 'mobile number missing' }));
    }
    my $message = _message($state, $call, $number, @fields);
    return $done->(answer(200)) if $call->{lost};
    push @{ $state->sms }, $message;
    push @{ $state->sms_inbox->{ $message->{mobile} } }, $message;
    my $waiting = delete $state->sms_waiting->{ $message->{mobile} } // [];
    $_->($message) for @$waiting;
    return $done->(answer(200, { status => 'success', id => "$message->{n}" }));
}

# The scalars, in order, as [name, value].
sub _fields ($c) {
    my $request = $c->req;
    my @fields  = @{ _pairs($request->url->query) };
    my $type    = $request->headers->content_type // '';
    if    ($type =~ m{\Aapplication/x-www-form-urlencoded}) { push @fields, @{ _pairs($request->body_params) } }
    elsif (length $request->body) { push @fields, _flat('', eval { $JSON->decode($request->body) }) }
    return @fields;
}

sub _pairs ($params) {
    my @pairs = @{ $params->pairs };
    my @list;
    while (my ($name, $value) = splice @pairs, 0, 2) { push @list, [$name, $value] }
    return \@list;
}

sub _flat ($name, $value) {
    return map { _flat($_, $value->{$_}) } sort keys %$value if ref $value eq 'HASH';
    return map { _flat($name, $_) } @$value if ref $value eq 'ARRAY';
    return defined $value ? [$name, "$value"] : ();
}

sub _message ($state, $call, $number, @fields) {
    my ($text) = map { $_->[1] } grep { $TEXT{ lc $_->[0] } } @fields;
    my @others = map { $_->[1] } grep { $_->[1] !~ $MOBILE } @fields;
    $text //= join ' ', @others;
    my ($code) = grep { defined } map { /(?<!\d)(\d{6})(?!\d)/ ? $1 : undef } $text, @others;
    return {
        n => $call->{n}, at => iso(), ms => now_ms(), mobile => plain_mobile($number), number => $number, text => $text,
        code => $code, method => $call->{method}, path => $call->{path}, fields => { map { @$_ } @fields },
    };
}

sub last_number ($state) { return @{ $state->sms } ? $state->sms->[-1]{n} : 0 }

sub messages ($state, $mobile = undef) {
    return @{ $state->sms } if !defined $mobile;
    return @{ $state->sms_inbox->{ plain_mobile($mobile) } // [] };
}

# A promise of the newest message to a number after message $after; undefined when none came in time.
sub wait_for ($state, $mobile, $after, $timeout_ms) {
    my ($there) = grep { $_->{n} > $after } reverse messages($state, $mobile);
    return Mojo::Promise->resolve($there) if $there || !$timeout_ms;
    my $promise = Mojo::Promise->new;
    my $timer = Mojo::IOLoop->timer($timeout_ms / 1000 => sub { $promise->resolve(undef) });
    push @{ $state->sms_waiting->{ plain_mobile($mobile) } }, sub ($message) {
        Mojo::IOLoop->remove($timer);
        $promise->resolve($message);
    };
    return $promise;
}

1;
