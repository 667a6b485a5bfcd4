package Certify::Report;

# The report of a run in three forms: JSON for machines, Markdown and one HTML page for people. All three
# say the same: every official row with its verdict, and what was seen of those that were shown.

use strict;
use warnings;
use feature 'signatures';
use utf8;

use Certify ();
use Cpanel::JSON::XS ();

my $JSON  = Cpanel::JSON::XS->new->canonical->pretty->indent_length(1);
my $PLAIN = Cpanel::JSON::XS->new->canonical->allow_nonref;
my @VERDICTS = ('pass', 'fail', 'not-demonstrated');
my %WORD     = (pass => 'pass', fail => 'FAIL', 'not-demonstrated' => 'not demonstrated');
my $TITLE    = 'ABDM certification run of ngx_abdm';

# $run: {generated, version, build, facts [[name, value]...], conduct [checks], judged, claimed}. Texts,
# not bytes.
sub json ($run) {
    my @rows = map {
        my $row = $_;
        +{ (map { $_ => $row->{$_} } qw(id milestone requirement verdict evidence faults)),
            mandatory => $row->{mandatory} ? Cpanel::JSON::XS::true : Cpanel::JSON::XS::false };
    } @{ $run->{judged} };
    return $JSON->encode({
        generated => $run->{generated}, version => $run->{version}, facts => { map { @$_ } @{ $run->{facts} } },
        conduct => $run->{conduct}, claimed => $run->{claimed}, rows => \@rows, totals => Certify::verdict_counts($run->{judged}),
    });
}

sub _milestones ($run) {
    my %seen;
    return grep { !$seen{$_}++ } map { $_->{milestone} } @{ $run->{judged} };
}

sub _summary ($run) {
    my $total = Certify::verdict_counts($run->{judged});
    return map { [$_ eq 'all' ? 'all' : $_, @{ $total->{$_} }{qw(rows mandatory), @VERDICTS}] } _milestones($run), 'all';
}

my @SUMMARY = ('milestone', 'rows', 'mandatory', @VERDICTS[0, 1], 'not demonstrated');

my $ABOUT = <<'TEXT';
Each row of the official test sheets is listed, whether anything was shown of it or not. A row passes when every step of its
demonstration was taken and every check of every step held. The demonstrations ran against nginx with the module and a demo
hospital application; ABDM, the citizens with their apps, the requester and the SMS provider were simulated, and the clock was
moved where time matters. Visits were entered into the demo application by a plugin of the tests, which is no part of it. This
is evidence for a certification, not the certification. What is personal or secret is replaced by a mask, the same for the same
value: [name-3] and [mobile-3] are of one person.
TEXT

# ---- Markdown -------------------------------------------------------------------------------------

sub _md ($text) { return $text =~ s/([\\`*_\[\]<>|#])/\\$1/gr }

sub markdown ($run) {
    my @out = ("# $TITLE", '', (map { "- $_->[0]: `$_->[1]`" } ['generated', $run->{generated}], ['version', $run->{version}], @{ $run->{facts} }),
        '', $ABOUT, '| ' . join(' | ', @SUMMARY) . ' |', '|' . '---|' x @SUMMARY);
    push @out, map { '| ' . join(' | ', @$_) . ' |' } _summary($run);
    push @out, '', '## The run', '', map { _md_check($_) } @{ $run->{conduct} };
    for my $milestone (_milestones($run)) {
        push @out, '', "## $milestone", '', '| row | mandatory | requirement | verdict |', '|---|---|---|---|';
        my @rows = grep { $_->{milestone} eq $milestone } @{ $run->{judged} };
        push @out, map { '| ' . join(' | ', _md($_->{id}), $_->{mandatory} ? 'yes' : 'no', _md($_->{requirement}), $WORD{ $_->{verdict} }) . ' |' } @rows;
        push @out, map { _md_row($_) } grep { @{ $_->{evidence} } } @rows;
    }
    return join "\n", @out, '';
}

sub _md_check ($check) { return ($check->{ok} ? '- ok: ' : '- **DOES NOT HOLD**: ') . _md($check->{text}) }

sub _md_row ($row) {
    my @out = ('', '### ' . _md($row->{id}) . ": $WORD{ $row->{verdict} }", '', _md($row->{requirement}) . '.');
    push @out, '', map { '- **' . _md($_) . '**' } @{ $row->{faults} } if @{ $row->{faults} };
    my $n = 0;
    for my $step (@{ $row->{evidence} }) {
        $n++;
        push @out, '', "$n. " . _md($step->{step}) . ($step->{taken} ? '' : ' **(not reached)**'), '', map { '   ' . _md_check($_) } @{ $step->{checks} };
        push @out, '   - **broken off**: ' . _md($step->{died}) if defined $step->{died};
        push @out, '', '   ```', (map { "   $_" } map { _lines($_) } @{ $step->{evidence} }), '   ```' if @{ $step->{evidence} };
    }
    return @out;
}

# One piece of evidence as lines of plain text.
sub _lines ($piece) {
    return "log      $piece->{log}" if defined $piece->{log};
    return 'seen     ' . (ref $piece->{note} ? $PLAIN->encode($piece->{note}) : $piece->{note}) if exists $piece->{note};
    my @lines = "$piece->{way}: $piece->{method} $piece->{path} gives $piece->{status}";
    push @lines, "  headers  " . $PLAIN->encode($piece->{headers}) if $piece->{headers} && %{ $piece->{headers} };
    push @lines, "  body     " . $PLAIN->encode($piece->{body})    if defined $piece->{body};
    push @lines, "  answer   " . $PLAIN->encode($piece->{answer})  if defined $piece->{answer};
    return @lines;
}

# ---- HTML -----------------------------------------------------------------------------------------

my %ENTITY = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;', q(') => '&#39;');

sub _html ($text) { return "$text" =~ s/([&<>"'])/$ENTITY{$1}/gr }

sub _cells ($tag, @cells) { return '<tr>' . join('', map { "<$tag>$_</$tag>" } @cells) . "</tr>\n" }

sub html ($run) {
    my $facts = join '', map { '<dt>' . _html($_->[0]) . '</dt><dd><code>' . _html($_->[1]) . "</code></dd>\n" }
        ['generated', $run->{generated}], ['version', $run->{version}], @{ $run->{facts} };
    my $summary = _cells(th => map { _html($_) } @SUMMARY) . join '', map { _cells(td => map { _html($_) } @$_) } _summary($run);
    my $conduct = join '', map { _html_check($_) } @{ $run->{conduct} };
    my $parts   = join '', map { _html_milestone($run, $_) } _milestones($run);
    my $about   = _html($ABOUT);
    return <<"HTML";
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$TITLE</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; background: #fff }
h1 { font-size: 1.6rem } h2 { margin-top: 3rem; border-bottom: 2px solid #ccc } h3 { margin: 0; font-size: 1rem; display: inline }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #ddd }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem } dt { font-weight: bold } dd { margin: 0; overflow-wrap: anywhere }
.verdict { font-weight: bold; white-space: nowrap } span.pass { color: #126b2e } span.fail, li.fail, p.fail, b.fail { color: #a80000 }
span.not-demonstrated { color: #666; font-weight: normal }
.row { margin: 1rem 0; padding: .6rem 1rem; border: 1px solid #ccc; border-left: .4rem solid #126b2e; break-inside: avoid-page }
.row.fail { border-left-color: #a80000 }
ul.checks { list-style: none; padding-left: 0 } ul.checks li { padding-left: 1.6rem; text-indent: -1.6rem; overflow-wrap: anywhere }
summary { cursor: pointer } ol > li { margin: .8rem 0 }
pre { background: #f5f5f5; padding: .6rem; font-size: .8rem; white-space: pre-wrap; overflow-wrap: anywhere }
</style>
</head>
<body>
<h1>$TITLE</h1>
<dl>
$facts</dl>
<p>$about</p>
<table>
$summary</table>
<h2>The run</h2>
<ul class="checks">
$conduct</ul>
$parts</body>
</html>
HTML
}

sub _html_check ($check) {
    return '<li' . ($check->{ok} ? '><span class="pass">✓</span> ' : ' class="fail"><b>✗ does not hold:</b> ') . _html($check->{text}) . "</li>\n";
}

sub _html_verdict ($row) { return qq(<span class="verdict $row->{verdict}">$WORD{ $row->{verdict} }</span>) }

sub _html_milestone ($run, $milestone) {
    my @rows  = grep { $_->{milestone} eq $milestone } @{ $run->{judged} };
    my $table = join '', map {
        my $id = _html($_->{id});
        _cells(td => (@{ $_->{evidence} } ? qq(<a href="#$id">$id</a>) : $id), $_->{mandatory} ? 'yes' : 'no', _html($_->{requirement}), _html_verdict($_));
    } @rows;
    my $details = join '', map { _html_row($_) } grep { @{ $_->{evidence} } } @rows;
    return '<h2>' . _html($milestone) . "</h2>\n<table>\n" . _cells(th => 'row', 'mandatory', 'requirement', 'verdict') . "$table</table>\n$details";
}

sub _html_row ($row) {
    my $faults = join '', map { '<li class="fail"><b>' . _html($_) . '</b></li>' } @{ $row->{faults} };
    my $steps  = join '', map { _html_step($_) } @{ $row->{evidence} };
    my $id     = _html($row->{id});
    return qq(<div class="row $row->{verdict}" id="$id">\n<h3>$id</h3> ) . _html_verdict($row) . '<p>' . _html($row->{requirement}) . "</p>\n"
        . ($faults ? "<ul>$faults</ul>\n" : '') . "<ol>\n$steps</ol>\n</div>\n";
}

sub _html_step ($step) {
    my $checks   = join '', map { _html_check($_) } @{ $step->{checks} };
    my $messages = join "\n", map { _html($_) } map { _lines($_) } @{ $step->{evidence} };
    my $count    = @{ $step->{evidence} };
    return '<li>' . _html($step->{step}) . ($step->{taken} ? '' : ' <b class="fail">(not reached)</b>')
        . (defined $step->{died} ? '<p class="fail"><b>broken off:</b> ' . _html($step->{died}) . '</p>' : '')
        . qq(<ul class="checks">\n$checks</ul>)
        . ($count ? "<details><summary>evidence ($count)</summary><pre>$messages</pre></details>" : '') . "</li>\n";
}

1;
