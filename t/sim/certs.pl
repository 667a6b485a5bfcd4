#!/usr/bin/env perl

# Makes a test CA and a server certificate for localhost in a directory:
#   perl certs.pl DIR      ->  DIR/ca.pem ca.key server.pem server.key
# Existing files stay, so that a second run is free. For tests and demos only.

use strict;
use warnings;

my ($dir) = @ARGV;
die "usage: certs.pl DIR\n" if !defined $dir;
if (!-d $dir) { mkdir $dir or die "$dir: $!\n" }
exit 0 if -s "$dir/server.pem" && -s "$dir/ca.pem";

my $names = 'DNS:localhost,IP:127.0.0.1';
my @key   = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);
openssl('req', '-x509', @key, '-subj', '/CN=ngx_abdm test CA', '-days', 30,
    '-keyout', "$dir/ca.key", '-out', "$dir/ca.pem",
    '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign');
openssl('req', '-new', @key, '-subj', '/CN=localhost',
    '-keyout', "$dir/server.key", '-out', "$dir/server.csr");
open my $ext, '>', "$dir/server.ext" or die "$dir/server.ext: $!\n";
print {$ext} "subjectAltName=$names\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n";
close $ext or die "$dir/server.ext: $!\n";
openssl('x509', '-req', '-in', "$dir/server.csr", '-CA', "$dir/ca.pem", '-CAkey', "$dir/ca.key",
    '-CAcreateserial', '-days', 30, '-extfile', "$dir/server.ext", '-out', "$dir/server.pem");
unlink map { "$dir/$_" } qw(server.csr server.ext ca.srl);

sub openssl {
    my @arguments = @_;
    open my $run, '-|', 'sh', '-c', 'exec openssl "$@" 2>&1', 'openssl', @arguments
        or die "openssl: $!\n";
    my $said = do { local $/ = undef; <$run> };
    close $run or die "openssl $arguments[0] failed:\n$said";
    return;
}
