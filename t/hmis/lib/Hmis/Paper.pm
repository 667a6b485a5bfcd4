package Hmis::Paper;

# Draws a paper: a one-page PDF, a small PNG or a small JPEG. The bytes depend on the paper
# alone, so the same paper is the same file each time it is asked for.

use Mojo::Base -strict, -signatures;
use Compress::Zlib qw(compress crc32);
use MIME::Base64 qw(decode_base64);
use Mojo::Util qw(encode);
use Exporter 'import';

our @EXPORT_OK = qw(draw_paper);

# The smallest grey JPEG; a comment segment makes each paper's file its own.
my $JPEG = decode_base64('/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP'
        . ('/' x 86) . 'wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=');

my %DRAW = ('application/pdf' => \&_pdf, 'image/png' => \&_png, 'image/jpeg' => \&_jpeg);

sub draw_paper ($paper) {
    my $draw = $DRAW{ $paper->{type} } or return;
    return $draw->($paper);
}

sub _pdf ($paper) {
    my $visit   = $paper->{visit};
    my $patient = $visit->{patient};
    my @lines   = (
        'Sample District Hospital', $paper->{kind},
        "Visit $visit->{no}   $visit->{date}   $visit->{department}",
        "Patient $patient->{uhid}   $patient->{first} $patient->{last}   $patient->{sex}   $patient->{dob}",
        "$visit->{doctor}{name}   Reg. $visit->{doctor}{regno}",
        "Paper $paper->{id}   $paper->{date}",
    );
    s/([()\\])/\\$1/g for @lines;
    my $text  = join '', "BT /F1 12 Tf 16 TL 50 790 Td\n", (map { "($_) Tj T*\n" } @lines), "ET\n";
    my $title = uc unpack 'H*', "\xFE\xFF" . encode('UTF-16BE', $paper->{title});
    my @objects = (
        '<< /Type /Catalog /Pages 2 0 R >>',
        '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
        '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R'
            . ' /Resources << /Font << /F1 5 0 R >> >> >>',
        '<< /Length ' . length($text) . " >>\nstream\n${text}endstream",
        '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
        "<< /Title <$title> >>",
    );
    my $pdf = "%PDF-1.4\n%\xE2\xE3\xCF\xD3\n";
    my @offsets;
    for my $n (1 .. @objects) {
        push @offsets, length $pdf;
        $pdf .= "$n 0 obj\n$objects[$n - 1]\nendobj\n";
    }
    my $start = length $pdf;
    my $size  = @objects + 1;
    $pdf .= "xref\n0 $size\n0000000000 65535 f \n";
    $pdf .= sprintf "%010d 00000 n \n", $_ for @offsets;
    return $pdf . "trailer\n<< /Size $size /Root 1 0 R /Info 6 0 R >>\nstartxref\n$start\n%%EOF\n";
}

sub _png ($paper) {
    my $side = 64;
    my $seed = crc32($paper->{id});
    my $rows = '';
    for my $y (0 .. $side - 1) {
        $rows .= "\0" . join '', map { chr(($_ * 3 + $y * 5 + ($seed >> ($y % 16))) & 0xFF) } 1 .. $side;
    }
    return "\x89PNG\r\n\x1A\n"
        . _png_chunk(IHDR => pack 'NNC5', $side, $side, 8, 0, 0, 0, 0)
        . _png_chunk(tEXt => "Comment\0paper $paper->{id}")
        . _png_chunk(IDAT => compress($rows))
        . _png_chunk(IEND => '');
}

sub _png_chunk ($type, $data) {
    return pack('N', length $data) . $type . $data . pack 'N', crc32($type . $data);
}

sub _jpeg ($paper) {
    my $comment = "paper $paper->{id}";
    return substr($JPEG, 0, 2) . "\xFF\xFE" . pack('n', 2 + length $comment) . $comment
        . substr $JPEG, 2;
}

1;
