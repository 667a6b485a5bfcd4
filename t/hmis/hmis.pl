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

my $data = Hmis::Data->new;
app->secrets(['the demo application keeps no sessions']);

app->plugin($ENV{HMIS_PLUGIN}) if $ENV{HMIS_PLUGIN};

helper missing => sub ($c, $what) { $c->render(json => { error => "no such $what" }, status => 404) };

get '/' => sub ($c) {
    my @patients = map { +{ %$_, visits => [$data->visits_of($_->{uhid})] } } $data->patients;
    $c->render(template => 'front', patients => \@patients);
};

get '/api/patients' => sub ($c) {
    my @found = $data->patients(phone => $c->param('phone'), name => $c->param('name'));
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

get '/:folder/#name' => [folder => [qw(files export)]] => sub ($c) {
    my ($id) = $c->param('name') =~ /\A(\w+)\.\w+\z/;
    my $paper = defined $id ? $data->paper($id) : undef;
    return $c->missing('paper') if !$paper || $paper->{file} ne $c->req->url->path->to_string;
    my $bytes = $c->param('folder') eq 'export' ? encode_json(export_paper($paper)) : draw_paper($paper);
    $c->res->headers->content_type($paper->{type});
    $c->res->headers->etag('"' . sha1_sum($bytes) . '"');
    $c->render(data => $bytes);
};

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
