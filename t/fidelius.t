#!/usr/bin/perl

# The command `abdm fidelius` as a script written for fidelius-cli uses it, against the
# implementation of t/lib/Fidelius.pm. ABDM_BIN names another binary than build/abdm.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Cpanel::JSON::XS qw(decode_json);
use File::Temp qw(tempdir);
use MIME::Base64 qw(encode_base64 decode_base64);
use Test::More;

use Fidelius ();

my ($abdm) = grep { -x }
    grep { defined } $ENV{ABDM_BIN},
    map { "$FindBin::Bin/../$_/abdm" } qw(build build/test build/asan);
plan skip_all => 'abdm is not built' if !defined $abdm;

my $folder = tempdir(CLEANUP => 1);

sub spew {
    my ($name, $bytes) = @_;
    my $path = "$folder/$name";
    open my $file, '>:raw', $path or die "$path: $!\n";
    print {$file} $bytes or die "$path: $!\n";
    close $file or die "$path: $!\n";
    return $path;
}

sub slurp {
    my ($path) = @_;
    open my $file, '<:raw', $path or die "$path: $!\n";
    my $bytes = do { local $/ = undef; <$file> };
    close $file or die "$path: $!\n";
    return $bytes // q{};
}

# Runs `abdm fidelius ARGUMENTS` with the given standard input; {status, out, err}.
sub fidelius {
    my ($input, @arguments) = @_;
    spew('in', $input // q{});
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDIN,  '<', "$folder/in"  or die;
        open STDOUT, '>', "$folder/out" or die;
        open STDERR, '>', "$folder/err" or die;
        exec {$abdm} $abdm, 'fidelius', @arguments or die;
    }
    waitpid $pid, 0;
    return {status => $?, out => slurp("$folder/out"), err => slurp("$folder/err")};
}

sub answer {
    my ($run, $name) = @_;
    is($run->{status}, 0,   "$name: status") or diag($run->{err});
    is($run->{err},    q{}, "$name: nothing on standard error");
    return decode_json($run->{out});
}

sub fails {
    my ($run, $status, $pattern, $name) = @_;
    is($run->{status} >> 8, $status, "$name: status");
    is($run->{status} & 255, 0, "$name: no signal");
    is($run->{out}, q{}, "$name: nothing on standard output");
    like($run->{err}, $pattern, "$name: says why");
    return;
}

sub b64 { my ($bytes) = @_; return encode_base64($bytes, q{}) }

# One exchange: their side in Perl, ours by the command. `sender` is whoever encrypts.
my $theirs = Fidelius::new_key_pair();
my $their_nonce = Fidelius::new_nonce();
my $ours = answer(fidelius(undef, 'gkm'), 'gkm');

subtest 'gkm gives a pair and a nonce' => sub {
    is_deeply([sort keys %{$ours}], [qw(nonce privateKey publicKey x509PublicKey)], 'members');
    my $point = Fidelius::public_key_from_base64($ours->{publicKey});
    is(length Fidelius::strict_base64($ours->{nonce}), 32, 'nonce of 32 bytes');
    is(length decode_base64($ours->{x509PublicKey}), 309, 'X.509 of 309 bytes');
    is(Fidelius::public_key_from_base64($ours->{x509PublicKey}), $point, 'the same point in it');
    my $pair = Fidelius::key_pair_from_private(decode_base64($ours->{privateKey}));
    is(substr($pair->{public_raw}, 0, 33), substr($point, 0, 33), 'of that private key');
    isnt(answer(fidelius(undef, 'generate-key-material'), 'alias')->{privateKey},
        $ours->{privateKey}, 'another pair the next time');
};

my @encrypt_tail = (
    $ours->{nonce}, b64($their_nonce), $ours->{privateKey}, b64($theirs->{public_raw}));
my @decrypt_tail = (
    $ours->{nonce}, b64($their_nonce), $ours->{privateKey}, b64($theirs->{x509}));
my $our_point = Fidelius::public_key_from_base64($ours->{publicKey});
my $devanagari = "\xe0\xa4\xb0\xe0\xa5\x8b\xe0\xa4\x97\xe0\xa5\x80";

sub read_theirs {
    my ($content) = @_;
    return Fidelius::decrypt($content, $theirs, $our_point, decode_base64($ours->{nonce}),
        $their_nonce);
}

sub write_theirs {
    my ($plain) = @_;
    return Fidelius::encrypt($plain, $theirs, $our_point, $their_nonce,
        decode_base64($ours->{nonce}));
}

subtest 'e and se encrypt what Perl reads' => sub {
    for my $plain ('a note', q{}, "line\nline", $devanagari, 'x' x 60_000) {
        my $name = length $plain > 20 ? 'long text' : "'$plain'";
        is(read_theirs(answer(fidelius(undef, 'e', $plain, @encrypt_tail), $name)->{encryptedData}),
            $plain, "e $name");
        is(read_theirs(
                answer(fidelius(undef, 'se', b64($plain), @encrypt_tail), $name)->{encryptedData}),
            $plain, "se $name");
    }
    my $bytes = join q{}, map { chr } 0 .. 255;
    my $run = fidelius($bytes, 'encrypt', q{-}, @encrypt_tail);
    is(read_theirs(answer($run, 'e -')->{encryptedData}),
        $bytes, 'all bytes through standard input');
    is(read_theirs(
            answer(fidelius(b64($bytes) . "\n", 'sane-encrypt', q{-}, @encrypt_tail), 'se -')
                ->{encryptedData}),
        $bytes, 'base64 through standard input');
};

subtest 'd decrypts what Perl wrote' => sub {
    for my $plain ('a note', q{}, "quote \" and \\ and \0 and \n", $devanagari, 'y' x 60_000) {
        my $name = length $plain > 30 ? 'long text' : 'text of ' . length $plain;
        my $back = answer(fidelius(undef, 'd', write_theirs($plain), @decrypt_tail), $name)
            ->{decryptedData};
        utf8::encode($back);
        is($back, $plain, "d $name");
    }
    my $bytes = join q{}, map { chr } 0 .. 255;
    my $long = $bytes x 4_000;
    my $run = fidelius(write_theirs($long) . "\n", 'd', '--raw', q{-}, @decrypt_tail);
    is($run->{status}, 0, 'd --raw -: status');
    ok($run->{out} eq $long, 'd --raw gives the bytes and nothing else');
    fails(fidelius(undef, 'd', write_theirs($bytes), @decrypt_tail), 1, qr/--raw/,
        'bytes that are not UTF-8');
};

subtest 'a file may hold the parameters' => sub {
    my $plain = "spaces in  it " . 'z' x 200_000;
    for my $end ("\n", "\r\n") {
        my $file = spew('parameters', join $end, 'e', $plain, @encrypt_tail, q{});
        is(read_theirs(answer(fidelius(undef, '-f', $file), '-f')->{encryptedData}),
            $plain, 'encrypted from a file');
    }
    my $file = spew('parameters', join "\n", 'd', write_theirs($plain), @decrypt_tail);
    is(answer(fidelius(undef, '--filepath', $file), '--filepath')->{decryptedData},
        $plain, 'decrypted from a file without a last line end');
    $file = spew('parameters', join "\n", 'e', q{}, @encrypt_tail, q{}, q{});
    is(read_theirs(answer(fidelius(undef, '-f', $file), 'empty')->{encryptedData}),
        q{}, 'an empty line is an empty text');
};

subtest 'README of fidelius-cli comes out byte for byte' => sub {
    my @nonces = qw(lmXgblZwotx+DfBgKJF0lZXtAXgBEYr5khh79Zytr2Y=
        6uj1RdDUbcpI3lVMZvijkMC8Te20O4Bcyz0SyivX8Eg=);
    my $run = fidelius(undef, 'e',
        q{Wormtail should never have been Potter cottage's secret keeper.}, @nonces,
        'AYhVZpbVeX4KS5Qm/W0+9Ye2q3rnVVGmqRICmseWni4=',
        'BAheD5rUqTy4V5xR4/6HWmYpopu5CO+KO8BECS0udNqUTSNo91TIqIIy1A4Vh+F94c+n9vAcwXU2bGcfsI5f69Y=');
    is(answer($run, 'README')->{encryptedData},
        'pzMvVZNNVtJzqPkkxcCbBUWgDEBy/mBXIeT2dJWI16ZAQnnXUb9lI+S4k8XK6mgZSKKSRIHkcNvJpllnBg548wUg'
            . 'avBa0vCRRwdL6kY6Yw==', 'its ciphertext');
};

subtest 'what is wrong is named, and nothing is printed' => sub {
    my @good = ('d', write_theirs('a note'), @decrypt_tail);
    my $with = sub {
        my ($at, $value) = @_;
        my @changed = @good;
        $changed[$at] = $value;
        return fidelius(undef, @changed);
    };
    my $flipped = decode_base64($good[1]);
    substr($flipped, 0, 1) ^= "\1";

    fails(fidelius(undef), 2, qr/usage/, 'no command');
    fails(fidelius(undef, 'x'), 2, qr/no such command.*usage/s, 'unknown command');
    fails(fidelius(undef, 'gkm', 'x'), 2, qr/too many/, 'a parameter too many');
    fails(fidelius(undef, @good[0 .. 4]), 2, qr/missing/, 'a parameter too few');
    fails(fidelius(undef, ('e') x 20), 2, qr/too many/, 'many parameters too many');
    fails(fidelius(undef, '-f'), 2, qr/-f takes/, '-f alone');
    fails(fidelius(undef, '-f', "$folder/absent"), 1, qr/absent: No such file/, 'file absent');
    fails(fidelius(undef, '-f', $folder), 1, qr/directory/, 'file is a folder');
    fails(fidelius(undef, '-f', spew('empty', "\n\n")), 2, qr/empty/, 'file empty');
    fails(fidelius(undef, '-f', spew('many', "e\n" x 20)), 2, qr/too many/, 'file too long');

    fails($with->(1, 'not base64!'), 1, qr/content: not standard base64/, 'content not base64');
    fails($with->(1, 'AAAA'), 1, qr/content: shorter than its tag/, 'content too short');
    fails($with->(1, q{}), 1, qr/content: shorter than its tag/, 'content empty');
    fails($with->(1, b64($flipped)), 1, qr/content: the tag does not fit/, 'a changed bit');
    fails($with->(2, b64('x' x 31)), 1, qr/own nonce: .*32 bytes/, 'own nonce too short');
    fails($with->(3, b64('x' x 33)), 1, qr/peer's nonce: .*32 bytes/, q{peer's nonce too long});
    fails($with->(3, '3fa85f64-5717-4562-b3fc-2c963f66afa6'), 1, qr/nonce/, 'nonce is a UUID');
    fails($with->(3, $ours->{nonce}), 1, qr/the tag does not fit/, 'another nonce');
    fails($with->(4, 'AA=='), 1, qr/private key/, 'private key is zero');
    fails($with->(4, '????'), 1, qr/private key/, 'private key not base64');
    fails($with->(5, b64('x' x 32)), 1, qr/public key: 32 bytes of X25519/, 'X25519 key');
    fails($with->(5, b64("\4" . 'x' x 64)), 1, qr/public key: .*not on Curve25519/,
        'off the curve');
    fails($with->(5, q{}), 1, qr/public key: empty/, 'no key');

    fails(fidelius(undef, 'se', 'not base64!', @encrypt_tail), 1,
        qr/plaintext: not standard base64/, 'se without base64');
    my $status = system "'$abdm' fidelius gkm >/dev/full 2>'$folder/err'";
    is($status >> 8, 1, 'a full disk is a failure');
    like(slurp("$folder/err"), qr/cannot be written/, 'and says so');
};

is(fidelius(undef, '--help')->{status}, 0, '--help is no failure');

done_testing();
