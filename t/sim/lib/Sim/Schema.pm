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

my @HI_TYPES = qw(OPConsultation Prescription DischargeSummary DiagnosticReport ImmunizationRecord
    HealthDocumentRecord WellnessRecord Invoice);
my $ADDRESS = { type => 'string', pattern => '^[a-zA-Z0-9][a-zA-Z0-9_.]+[a-zA-Z0-9]@(?:abdm|sbx)$' };
my $GENDER  = _one_of(qw(M F O D T U));
my $DISPLAY = { type => 'string', pattern => '^[a-zA-Z0-9_\\-@,. "\':\\|()/]{1,255}$' };
my $LINKS = _list(_object({
    referenceNumber => $REFERENCE, display => $DISPLAY, hiType => _one_of(@HI_TYPES), count => { type => 'integer', minimum => 0 },
    careContexts => { %{ _list(_object({ referenceNumber => $REFERENCE, display => $DISPLAY })) }, maxItems => 20 },
}));

# The forms of v0.5.
my %ENVELOPE  = (requestId => $UUID, timestamp => $ISO);
my %OLD       = (%ENVELOPE, resp => $RESPONSE);
my $OLD_ERROR = _object({ code => { type => 'integer', minimum => 1000, maximum => 4999 }, message => $TEXT });
my $PURPOSE   = _one_of(qw(LINK KYC KYC_AND_LINK));
my $REQUESTER = _object({ type => _one_of(qw(HIP HIU)), id => $TEXT });

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
    generate_token => _object({
        abhaNumber => { type => ['integer', 'null'], minimum => 10_000_000_000_000, maximum => 99_999_999_999_999 },
        abhaAddress => $ADDRESS, name => { type => 'string', pattern => '^[\\p{L}\\p{M} \',.-]{1,255}$' },
        gender => $GENDER, yearOfBirth => { type => 'integer', minimum => 1900, maximum => 2200 },
    }, qw(abhaNumber abhaAddress)),
    carecontext => _object({
        abhaNumber => { type => 'string', pattern => '^[0-9]{14}$' }, abhaAddress => $ADDRESS, patient => $LINKS,
    }, 'abhaNumber'),
    context_notify => _object({ notification => _object({
        patient => _object({ id => $ADDRESS }),
        careContext => _object({ patientReference => $REFERENCE, careContextReference => $REFERENCE }),
        hiTypes => _list(_one_of(@HI_TYPES)), date => $ISO, hip => _object({ id => $TEXT }),
    }) }),
    sms_notify => _object({
        requestId => $UUID, timestamp => $ISO,
        notification => _object({
            phoneNo => { type => 'string', pattern => '^(?:[+]91-|91)?[6-9][0-9]{9}$' },
            hip => _object({ id => $TEXT, name => $TEXT }, 'name'),
        }),
    }, qw(requestId timestamp)),
    on_discover => _object({
        transactionId => $UUID, patient => $LINKS, error => $ERROR, response => $RESPONSE,
        matchedBy => { %{ _list(_one_of(qw(MR MOBILE ABHA_NUMBER ABHA_ADDRESS))) }, uniqueItems => 1 },
    }, qw(transactionId patient matchedBy error)),    # the first may be missing as in the question
    on_init => _object({
        transactionId => $UUID, error => $ERROR, response => $RESPONSE,
        link => _object({
            referenceNumber => $TEXT, authenticationType => _one_of(qw(DIRECT MEDIATED)),
            meta => _object({
                communicationMedium => _one_of(qw(MOBILE EMAIL)), communicationHint => $TEXT, communicationExpiry => $ISO,
            }),
        }),
    }, qw(transactionId link error)),
    on_confirm => _object({ patient => $LINKS, error => $ERROR, response => $RESPONSE }, qw(patient error)),
    on_share => _object({
        acknowledgement => _object({
            status => _one_of(qw(SUCCESS FAILED)), abhaAddress => $ADDRESS,
            profile => _object({
                context => $TEXT, tokenNumber => { type => 'string', pattern => '^[0-9A-Za-z-]{1,20}$' },
                expiry => { type => 'string', pattern => '^[1-9][0-9]{0,4}$' },
            }),
        }, 'profile'),
        error => $ERROR, response => $RESPONSE,
    }, qw(acknowledgement error)),
    on_status => _object({ %OLD, acknowledgment => _object({ status => _one_of('OK') }), error => $OLD_ERROR },
        qw(acknowledgment error)),
    auth_on_notify => _object({ %OLD, acknowledgement => _object({ status => _one_of('OK') }), error => $OLD_ERROR },
        qw(acknowledgement error)),
    fetch_modes => _object({ %ENVELOPE, query => _object({ id => $ADDRESS, purpose => $PURPOSE, requester => $REQUESTER }) }),
    auth_init   => _object({ %ENVELOPE, query => _object({
        id => $ADDRESS, purpose => $PURPOSE, requester => $REQUESTER,
        authMode => _one_of(qw(MOBILE_OTP AADHAAR_OTP DEMOGRAPHICS DIRECT)),
    }) }),
    auth_confirm => _object({ %ENVELOPE, transactionId => $UUID, credential => _object({
        authCode => { type => 'string', pattern => '^[0-9]{6}$' },
        demographic => _object({
            name => $TEXT, gender => _one_of(qw(M F O U)),
            dateOfBirth => { type => 'string', pattern => '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' },
            identifier => _object({ type => _one_of(qw(MOBILE MR NDHM_HEALTH_NUMBER HEALTH_ID)), value => $TEXT }),
        }, 'identifier'),
    }, qw(authCode demographic)) }),
    bridge_url => _object({ url => { type => 'string', pattern => '^https://[A-Za-z0-9.:-]+(?:/[^?#]*)?$' } }),
    registry   => _object({
        facilityId => { type => 'string', pattern => '^[A-Z]{2}[0-9]{10}$' }, facilityName => $TEXT,
        HRP => _list(_object({
            bridgeId => $TEXT, hipName => { type => 'string', pattern => '^[A-Za-z0-9 ]{1,15}$' },
            type => _one_of(qw(HIP HIU HEALTH_LOCKER)), active => { type => 'boolean' },
            alias => { type => 'array', items => $TEXT },
        }, 'alias')),
    }),
    fetch => _object({ consentId => $UUID }),
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
