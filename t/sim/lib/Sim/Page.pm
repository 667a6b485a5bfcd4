package Sim::Page;

# Opens one pushed page: parses it, checks all that the page alone can tell, decrypts it and looks
# into the FHIR document. It touches no state, so that a large page can be opened in a child process.

use Mojo::Base -strict, -signatures;
use Cpanel::JSON::XS ();
use Crypt::Digest::SHA256 qw(sha256_hex);
use Digest::MD5 qw(md5 md5_hex);
use Exporter 'import';
use Fidelius ();
use MIME::Base64 qw(decode_base64 encode_base64);
use Mojo::Util qw(decode);
use Sim::Clock qw(now parse_iso);
use Sim::FastKeys ();
use Sim::Schema qw(schema_faults);

our @EXPORT_OK = qw(open_page);

my $JSON       = Cpanel::JSON::XS->new->utf8;
my $KEEP_TEXT  = 1_048_576;
my %HI_TYPE = (
    OPConsultRecord => 'OPConsultation', PrescriptionRecord => 'Prescription',
    DischargeSummaryRecord => 'DischargeSummary', DiagnosticReportRecord => 'DiagnosticReport',
    ImmunizationRecord => 'ImmunizationRecord', HealthDocumentRecord => 'HealthDocumentRecord',
    WellnessRecord => 'WellnessRecord', InvoiceRecord => 'Invoice',
);

# $own: the requester's key pair and nonce. %option: checksum (base64, hex, none), inspect (0, 1),
# sealed (1: do not decrypt).
# Gives {faults => [[rule, message]…], page => {…} or undef}.
sub open_page ($bytes, $own, %option) {
    my @faults;
    my $push = eval { $JSON->decode($bytes) };
    undef $bytes;
    return { faults => [['body.json', 'the page is not JSON']] } if !defined $push;
    my @shape = schema_faults('push', $push);
    return { faults => [map { ['body.shape', $_] } @shape] } if @shape;

    my $entry    = $push->{entries}[0];
    my $material = $push->{keyMaterial};
    my %page     = (
        (map { $_ => $push->{$_} } qw(pageNumber pageCount transactionId)),
        careContextReference => $entry->{careContextReference}, checksum => $entry->{checksum},
        keyValue => $material->{dhPublicKey}{keyValue}, nonce => $material->{nonce},
        expiry => $material->{dhPublicKey}{expiry}, curve => $material->{curve},
    );
    my $expiry = parse_iso($page{expiry});
    push @faults, ['page.expiry', 'the expiry of the key is no future time'] if !defined $expiry || $expiry < now();
    push @faults, ['page.curve', 'curve is not spelled as in the request'] if $page{curve} ne $own->{curve};

    my $content = delete $entry->{content};
    undef $push;
    $page{content_sha256} = sha256_hex($content);
    return { faults => \@faults, page => \%page } if $option{sealed};
    my $plain = eval { _decrypt(\$content, $own, \%page) };
    my $why   = $@;
    undef $content;
    if (!defined $plain) {
        $why =~ s/ at \S+ line.*//s;
        return { faults => [@faults, ['page.decrypt', $why]], page => \%page };
    }
    $page{decrypted} = 1;
    $page{size}      = length $plain;
    $page{sha256}    = sha256_hex($plain);
    my $checksum = $option{checksum} // 'base64';
    my $expected = $checksum eq 'hex' ? md5_hex($plain) : $checksum eq 'base64' ? encode_base64(md5($plain), '') : '';
    push @faults, ['page.checksum', 'checksum is not the MD5 of the plaintext'] if $page{checksum} ne $expected;
    if ($page{size} <= $KEEP_TEXT) {
        $page{text} = decode 'UTF-8', $plain;
        push @faults, ['page.utf8', 'the plaintext is not UTF-8'] if !defined $page{text};
    }
    push @faults, _inspect(\$plain, \%page) if $option{inspect} // 1;
    return { faults => \@faults, page => \%page };
}

sub _decrypt ($content, $own, $page) {
    my $key = Fidelius::strict_base64($page->{keyValue});
    die "keyValue is not the X.509 form\n" if length $key != 309;
    my $public = Fidelius::public_key_raw($key);
    my $nonce  = Fidelius::strict_base64($page->{nonce});
    my $decrypt = $own->{pair}{x25519} ? \&Sim::FastKeys::decrypt : \&Fidelius::decrypt;
    return $decrypt->($$content, $own->{pair}, $public, $nonce, $own->{nonce});
}

# The document's kind, patient and attachments; every fault that a receiver would trip over.
sub _inspect ($plain, $page) {
    my $bundle = eval { $JSON->decode($$plain) };
    return ['page.fhir', 'the plaintext is not JSON'] if ref $bundle ne 'HASH';
    return ['page.fhir', 'the plaintext is no document bundle']
        if ($bundle->{resourceType} // '') ne 'Bundle' || ($bundle->{type} // '') ne 'document';
    my @resources = map { $_->{resource} } @{ $bundle->{entry} // [] };
    my $composition = $resources[0];
    return ['page.fhir', 'the first entry is no Composition']
        if ref $composition ne 'HASH' || ($composition->{resourceType} // '') ne 'Composition';
    my ($profile) = map { m{/([^/]+)\z} ? $1 : () } @{ $composition->{meta}{profile} // [] };
    my @patients = grep { $_->{resourceType} eq 'Patient' } @resources;
    $page->{hiType}      = $HI_TYPE{ $profile // '' };
    $page->{date}        = $composition->{date};
    $page->{title}       = $composition->{title};
    $page->{patients}    = [map { [map { $_->{value} } @{ $_->{identifier} // [] }] } @patients];
    $page->{attachments} = [map { _attachments($_) } @resources];
    return defined $page->{hiType} ? () : ['page.fhir', 'the Composition names no known profile'];
}

sub _attachments ($resource) {
    my $kind = $resource->{resourceType};
    my @found
        = $kind eq 'Binary'            ? $resource
        : $kind eq 'DocumentReference' ? map { $_->{attachment} } @{ $resource->{content} // [] }
        : $kind eq 'DiagnosticReport'  ? @{ $resource->{presentedForm} // [] }
        : $kind eq 'Media'             ? $resource->{content} // ()
        :                                ();
    return map { _attachment($_) } grep { defined $_->{data} } @found;
}

sub _attachment ($attachment) {
    my $bytes = decode_base64($attachment->{data});
    return { contentType => $attachment->{contentType}, title => $attachment->{title},
        size => length $bytes, sha256 => sha256_hex($bytes) };
}

1;
