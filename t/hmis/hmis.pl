#!/usr/bin/env perl

# The demo hospital application: a JSON API, its papers, and a page for people. README.md describes
# it. HMIS_PLUGIN may name the class of a Mojolicious plugin to be added.

use Mojolicious::Lite -signatures;
use utf8;
use Mojo::File qw(curfile);
use Mojo::JSON qw(encode_json);
use Mojo::Util qw(sha1_sum);
use lib curfile->sibling('lib')->to_string;
use Hmis::Data;
use Hmis::Export qw(export_paper);
use Hmis::Paper qw(draw_paper);

my $OTP_LIFE  = 600;
my $OTP_TRIES = 3;
my $PAGE_MAX  = 500;

my $data = Hmis::Data->new;
my (@events, %otp);
app->secrets(['the demo application keeps no sessions']);

helper books  => sub { $data };
helper events => sub { \@events };
helper otps   => sub { \%otp };

app->plugin($ENV{HMIS_PLUGIN}) if $ENV{HMIS_PLUGIN};

helper missing => sub ($c, $what) { $c->render(json => { error => "no such $what" }, status => 404) };

helper wanted => sub ($c, $what) { $c->render(json => { error => "$what wanted" }, status => 400) };

get '/' => sub ($c) {
    my @patients = map { +{ %$_, visits => [$data->visits_of($_->{uhid})] } } $data->patients;
    $c->render(template => 'front', patients => \@patients);
};

get '/api/patients' => sub ($c) {
    my @found = $data->patients(map { ($_ => $c->param($_)) } qw(phone abha name));
    $c->render(json => { count => scalar @found, patients => \@found });
};

get '/api/patients/:uhid' => sub ($c) {
    my $patient = $data->patient($c->param('uhid')) or return $c->missing('patient');
    $c->render(json => $patient);
};

get '/api/patients/:uhid/visits' => sub ($c) {
    my $patient = $data->patient($c->param('uhid')) or return $c->missing('patient');
    $c->render(json => { uhid => $patient->{uhid}, visits => [$data->visits_of($patient->{uhid})] });
};

get '/api/visits/#no' => sub ($c) {
    my $visit = $data->visit($c->param('no')) or return $c->missing('visit');
    $c->render(json => $visit);
};

# The front desk's entry of a patient's health id.
post '/api/patients/:uhid/abha' => sub ($c) {
    my $patient = $data->patient($c->param('uhid')) or return $c->missing('patient');
    my $given   = $c->req->json;
    return $c->wanted('abha or abha_address') if ref $given ne 'HASH' || !($given->{abha} || $given->{abha_address});
    $c->render(json => $data->enter_patient(uhid => $patient->{uhid}, map { ($_ => $given->{$_}) } qw(abha abha_address)));
};

# Somebody is at the desk: a patient who is known, or one to be registered.
post '/api/desk' => sub ($c) {
    my $given = $c->req->json;
    return $c->wanted('first') if ref $given ne 'HASH' || !length($given->{first} // '');
    my %fields = map { ($_ => $given->{$_}) } grep { length($given->{$_} // '') } qw(first last sex dob phone village abha abha_address);
    $fields{dob} //= "01-01-$given->{year}" if ($given->{year} // '') =~ /\A\d{4}\z/;
    my $known = $data->patient($given->{uhid} // '') // _known_at_desk(%fields);
    %fields = (uhid => $known->{uhid}, map { ($_ => $fields{$_}) } qw(abha abha_address)) if $known;
    my $patient = $data->enter_patient(%fields);
    $c->render(json => { uhid => $patient->{uhid}, new => $known ? \0 : \1 }, status => $known ? 200 : 201);
};

get '/api/changes' => sub ($c) {
    my ($after, $limit) = map { $c->param($_) || 0 } qw(after limit);
    return $c->wanted('after and limit as numbers') if grep { !/\A\d{1,9}\z/ } $after, $limit;
    $limit = $PAGE_MAX if !$limit || $limit > $PAGE_MAX;
    $c->render(json => $data->changes($after, $limit));
};

# One-time codes for whoever is at the desk, by the hospital's own SMS contract.
post '/api/otp' => sub ($c) {
    my $given   = $c->req->json // {};
    my $patient = $data->patient($given->{uhid} // '') or return $c->missing('patient');
    my $ref     = 'o-' . sha1_sum(join ' ', time, rand, scalar keys %otp);
    $otp{$ref} = {
        ref => $ref, uhid => $patient->{uhid}, phone => $given->{phone} || $patient->{phone},
        code => sprintf('%06d', int rand 1_000_000), until => time + $OTP_LIFE, tries => 0,
    };
    $c->render(json => { ref => $ref });
};

post '/api/otp/check' => sub ($c) {
    my $given = $c->req->json // {};
    my $otp   = $otp{ $given->{ref} // '' } or return $c->missing('code');
    my $good  = $otp->{tries}++ < $OTP_TRIES && $otp->{until} > time && $otp->{code} eq ($given->{code} // '');
    delete $otp{ $otp->{ref} } if $good;
    $c->render(json => { ok => $good ? \1 : \0 });
};

post '/api/events' => sub ($c) {
    my $given = $c->req->json;
    return $c->wanted('what') if ref $given ne 'HASH' || !$given->{what};
    push @events, $given;
    $c->render(json => { ok => \1 }, status => 201);
};

get '/:folder/#name' => [folder => [qw(files export)]] => sub ($c) {
    my ($id) = $c->param('name') =~ /\A(\w+)\.\w+\z/;
    my $paper = defined $id ? $data->paper($id) : undef;
    return $c->missing('paper') if !$paper || $paper->{file} ne $c->req->url->path->to_string;
    my $bytes = $c->param('folder') eq 'export' ? encode_json(export_paper($paper)) : draw_paper($paper);
    $c->res->headers->content_type($paper->{type});
    $c->res->headers->etag('"' . sha1_sum($bytes) . '"');
    $c->render(data => $bytes);
};

# By the health id, else by phone and the rest of what does not change.
sub _known_at_desk (%fields) {
    for my $abha (grep { defined } @fields{qw(abha_address abha)}) {
        my @found = $data->patients(abha => $abha);
        return $found[0] if @found == 1;
    }
    return if !defined $fields{phone};
    my @found = grep {
        lc $_->{first} eq lc $fields{first} && $_->{sex} eq ($fields{sex} // '')
            && substr($_->{dob}, -4) eq substr($fields{dob} // '', -4)
    } $data->patients(phone => $fields{phone});
    return @found == 1 ? $found[0] : undef;
}

app->start;

__DATA__

@@ front.html.ep
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sample District Hospital</title>
<style>
 body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
 h2 { margin: 2rem 0 .2rem } table { border-collapse: collapse; width: 100% }
 th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-top: 1px solid #ccc }
</style>
<h1>Sample District Hospital</h1>
<p>Patients, visits and papers. All people here are invented.</p>
% for my $patient (@$patients) {
<h2><%= "$patient->{first} $patient->{last}" %></h2>
<p><%= join ', ', @$patient{qw(uhid sex dob phone village)} %></p>
<table>
<tr><th>Visit<th>Date<th>Department<th>Doctor<th>Papers
%   for my $visit (@{ $patient->{visits} }) {
<tr><td><%= $visit->{no} %><td><%= $visit->{date} %><td><%= $visit->{department} %><td><%= $visit->{doctor}{name} %>
<td>
%     for my $paper (@{ $visit->{papers} }) {
<a href="<%= $paper->{file} %>"><%= $paper->{title} %></a> (<%= $paper->{kind} %>)<br>
%     }
%   }
</table>
% }
</html>
