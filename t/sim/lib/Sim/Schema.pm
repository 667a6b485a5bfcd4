package Sim::Schema;

# The shapes of the messages that the simulator receives. Nothing beyond the listed members is
# allowed, and values have exactly the protocol's form.

use Mojo::Base -strict, -signatures;
use Exporter 'import';
use JSON::Validator;

our @EXPORT_OK = qw(schema_faults);

my $UUID = { type => 'string', pattern => '^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' };
my $ISO  = { type => 'string', pattern => '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$' };
my $TEXT = { type => 'string', minLength => 1, maxLength => 255 };
my $REFERENCE = { type => 'string', pattern => '^[a-zA-Z0-9_\\-@,. ()/:\\\\]{1,255}$' };
my $ERROR = _object({ code => { type => 'string', pattern => '^ABDM-[0-9]{4}$' }, message => $TEXT });

sub _object ($members, @optional) {
    my %optional = map { $_ => 1 } @optional;
    return {
        type => 'object', additionalProperties => 0, properties => $members,
        required => [grep { !$optional{$_} } sort keys %$members],
    };
}

sub _list ($of) { return { type => 'array', items => $of, minItems => 1 } }

sub _one_of (@values) { return { type => 'string', enum => \@values } }

my $RESPONSE = _object({ requestId => $UUID });

my %SCHEMA = (
    session => _object({
        clientId => $TEXT, clientSecret => $TEXT, grantType => _one_of('client_credentials'),
    }),
    on_notify => _object({
        acknowledgement => _object({ status => _one_of('OK'), consentId => $UUID }),
        error => $ERROR, response => $RESPONSE,
    }, qw(acknowledgement error)),
    on_request => _object({
        hiRequest => _object({ transactionId => $UUID, sessionStatus => _one_of('ACKNOWLEDGED') }),
        error => $ERROR, response => $RESPONSE,
    }, qw(hiRequest error)),
    notify => _object({
        notification => _object({
            consentId => $UUID, transactionId => $UUID, doneAt => $ISO,
            notifier => _object({ type => _one_of('HIP'), id => $TEXT }),
            statusNotification => _object({
                sessionStatus => _one_of(qw(TRANSFERRED FAILED)), hipId => $TEXT,
                statusResponses => _list(_object({
                    careContextReference => $REFERENCE, hiStatus => _one_of(qw(DELIVERED ERRORED)),
                    description => { type => 'string', maxLength => 255 },
                }, 'description')),
            }),
        }),
    }),
    push => _object({
        pageNumber => { type => 'integer', minimum => 0 }, pageCount => { type => 'integer', minimum => 1 },
        transactionId => $UUID,
        entries => { %{ _list(_object({
            content => { type => 'string', minLength => 24 }, media => _one_of('application/fhir+json'),
            checksum => { type => 'string', maxLength => 64 }, careContextReference => $REFERENCE,
        })) }, maxItems => 1 },
        keyMaterial => _object({
            cryptoAlg => _one_of('ECDH'), curve => _one_of(qw(Curve25519 curve25519)),
            dhPublicKey => _object({
                expiry => $ISO, parameters => _one_of('Curve25519/32byte random key'),
                keyValue => { type => 'string', minLength => 412, maxLength => 412 },
            }),
            nonce => { type => 'string', minLength => 44, maxLength => 44 },
        }),
    }),
);

my %VALIDATOR;

# A list of "path: fault" texts; empty when the message has the shape.
sub schema_faults ($name, $message) {
    my $validator = $VALIDATOR{$name} //= JSON::Validator->new->schema($SCHEMA{$name});
    return map { $_->path . ': ' . $_->message } $validator->validate($message);
}

1;
