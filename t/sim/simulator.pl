#!/usr/bin/env perl

# The simulated ABDM: gateway, consent manager and requester (HIU) in one process, over TLS on
# 127.0.0.1. README.md documents how to drive it.
#   perl simulator.pl --port 8443 --certs DIR [--bridge https://127.0.0.1:9443/abdm] [--ca FILE]

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib";

use EV;
use Getopt::Long qw(GetOptions);
use IO::Socket::SSL;
use Mojo::Server::Daemon;
use Sim::App;
use Sim::State;

my %option = (port => 8443, host => '127.0.0.1');
if (!GetOptions(\%option, 'port=i', 'host=s', 'certs=s', 'bridge=s', 'ca=s') || !$option{certs}) {
    die "usage: simulator.pl --certs DIR [--port N] [--host ADDRESS] [--bridge URL] [--ca FILE]\n";
}

my $dir   = $option{certs};
my $url   = "https://$option{host}:$option{port}";
my $state = Sim::State->new(public_url => $url, issuer => "$url/auth/realms/central-registry");
$state->configure({ bridge_url => $option{bridge} }) if defined $option{bridge};
my $app = Sim::App->new(state => $state, ca => $option{ca} // "$dir/ca.pem");
$state->keys->keys;    # made now, not in the first request

# One TLS context for all connections: making one for each costs more than all else together.
my $tls = IO::Socket::SSL::SSL_Context->new(
    SSL_server => 1, SSL_cert_file => "$dir/server.pem", SSL_key_file => "$dir/server.key");
IO::Socket::SSL::set_args_filter_hack(sub {
    my ($is_server, $arguments) = @_;
    $arguments->{SSL_reuse_ctx} = $tls if $is_server;
});

my $daemon = Mojo::Server::Daemon->new(
    app => $app, silent => 1, max_clients => 5000, max_requests => 1_000_000, keep_alive_timeout => 300,
    inactivity_timeout => 300, listen => ["$url?cert=$dir/server.pem&key=$dir/server.key"]);
$daemon->run;
