package Sim::Hiu;

# The receiving side of a data push. The page itself is opened by Sim::Page, here in the process or,
# when it is large, in a child; what needs memory of other pages is checked here.

use Mojo::Base -strict, -signatures;
use Mojo::File qw(path);
use Mojo::IOLoop;
use Sim::Check qw(answer);
use Sim::Clock qw(now_ms);
use Sim::Page qw(open_page);

my $LARGE     = 4_194_304;
my @FORBIDDEN = qw(Authorization X-HIP-ID X-HIU-ID X-CM-ID X-AUTH-TOKEN X-LINK-TOKEN Cookie);

# Calls $done with the answer.
sub receive ($state, $c, $call, $done) {
    my $transfer = $state->pushes->{ $call->{path} };
    if (!$transfer) {
        $state->violate($call, 'push.unknown', 'nobody gave out this push URL');
        return $done->(answer(404));
    }
    _envelope_faults($state, $c, $call, $transfer);
    my $config = $state->config;
    my %option = (checksum => $config->{checksum}, inspect => $config->{inspect},
        sealed => $state->count('pushed') % $config->{open_every} != 0);
    my $asset  = $c->req->content->asset;
    if ($asset->size < $LARGE) {
        return $done->(_judge($state, $call, $transfer, open_page($asset->slurp, $transfer->{own}, %option)));
    }
    my $file = $asset->to_file;
    Mojo::IOLoop->subprocess(
        sub ($child) { open_page(path($file->path)->slurp, $transfer->{own}, %option) },
        sub ($child, $error, $opened) {
            undef $file;
            $opened = { faults => [['page.open', $error]] } if $error;
            $done->(_judge($state, $call, $transfer, $opened));
        });
    return;
}

sub _envelope_faults ($state, $c, $call, $transfer) {
    my $headers = $c->req->headers;
    for my $name (@FORBIDDEN) {
        $state->violate($call, 'push.header', "$name does not belong on a push") if defined $headers->header($name);
    }
    $state->violate($call, 'content-type', 'Content-Type is not application/json')
        if ($headers->content_type // '') !~ m{\Aapplication/json(?:;\s*charset=utf-8)?\z}i;
    $state->violate($call, 'push.url', 'the push URL was not used as given')
        if $call->{query} ne $transfer->{query} || $call->{method} ne 'POST';
    $state->violate($call, 'push.early', 'a page came before on-request') if !$transfer->{on_request_tried};
    $state->violate($call, 'push.refused', 'a page came though the request was refused') if $transfer->{refused};
    $state->violate($call, 'push.late', 'a page came after the notification') if $transfer->{notify};
    my $consent = $state->consents->{ $transfer->{consent_id} };
    if (my $ended = $consent->{ended_ms}) {
        $state->violate($call, 'push.revoked', 'a page came after the consent had ended')
            if $call->{ms} > $ended + 1000;
    }
    return;
}

# $opened is what the page alone tells. Only a page without any fault is accepted.
sub _judge ($state, $call, $transfer, $opened) {
    my $page = $opened->{page};
    $state->violate($call, @$_) for @{ $opened->{faults} };
    if ($page) {
        my $repeat = _repeat($state, $transfer, $page);
        return answer(202) if $repeat eq 'spoiled';
        $state->violate($call, 'page.repeated', "page $page->{pageNumber} was accepted before") if $repeat eq 'answered';
        _set_faults($state, $call, $transfer, $page) if $repeat eq 'no';
        _note_final($state, $call, $transfer, $page->{pageNumber});
        _fresh_faults($state, $call, $page);
        $call->{page} = { map { $_ => $page->{$_} } grep { defined $page->{$_} && $_ ne 'text' } keys %$page };
    }
    return answer(400, { error => { code => 'ABDM-1010', message => 'page not accepted' } })
        if !$page || @{ $call->{violations} };
    return answer(202) if $call->{lost};
    $page->{accepted}    = 1;
    $page->{accepted_ms} = now_ms();
    $page->{call}        = $call;
    $transfer->{pages}{ $page->{pageNumber} } = $page;
    return answer(202);
}

# Was the page accepted before, and did the sender learn of it? One that may forget may send it again,
# as long as it is the same.
sub _repeat ($state, $transfer, $page) {
    my $before = $transfer->{pages}{ $page->{pageNumber} } or return 'no';
    if ($state->config->{may_forget} && ($before->{sha256} // '') eq ($page->{sha256} // '')) {
        $before->{repeats}++;
        return 'spoiled';
    }
    return $before->{call}{spoiled} ? 'spoiled' : 'answered';
}

# A 4xx other than 408 and 429 is final: that page must not come again.
sub _note_final ($state, $call, $transfer, $number) {
    $state->violate($call, 'page.after-final', "page $number came again after a final refusal")
        if $transfer->{final}{$number};
    my $status = $call->{lost} ? $call->{fault}{status} // 0 : 0;
    $transfer->{final}{$number} = 1 if $status =~ /\A4(?!08|29)\d\d\z/;
    return;
}

sub _set_faults ($state, $call, $transfer, $page) {
    my $fault = sub ($rule, $message) { $state->violate($call, $rule, $message) };
    $fault->('transaction.other', 'transactionId is not that of the request')
        if $page->{transactionId} ne $transfer->{transaction_id};
    $fault->('page.context', "$page->{careContextReference} is not of this consent")
        if !grep { $_ eq $page->{careContextReference} } @{ $transfer->{contexts} };
    $fault->('page.count', 'pageCount differs from that of an earlier page')
        if grep { $_->{pageCount} != $page->{pageCount} } values %{ $transfer->{pages} };
    my %number = map { $_ => 1 } keys %{ $transfer->{pages} }, $page->{pageNumber};
    $fault->('page.number', 'pageNumber is beyond pageCount')
        if $page->{pageNumber} > $page->{pageCount} || ($number{0} && $number{ $page->{pageCount} });
    $fault->('page.hi-type', "$page->{hiType} is not of this consent")
        if defined $page->{hiType} && !grep { $_ eq $page->{hiType} } @{ $transfer->{hi_types} };
    return;
}

# A key pair or nonce belongs to one ciphertext; the same ciphertext sent again is no harm.
sub _fresh_faults ($state, $call, $page) {
    my $known = $state->keys_seen->{ $page->{keyValue} } //= $page->{content_sha256};
    $state->violate($call, 'page.key-reused', 'this key was used for another page') if $known ne $page->{content_sha256};
    $known = $state->nonces_seen->{ $page->{nonce} } //= $page->{content_sha256};
    $state->violate($call, 'page.nonce-reused', 'this nonce was used for another page')
        if $known ne $page->{content_sha256};
    return;
}

1;
