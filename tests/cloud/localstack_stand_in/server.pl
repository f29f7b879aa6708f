# Plays LocalStack's image: it wants a token, and answers its health and one call. Perl is in the base image.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
my $token = $ENV{LOCALSTACK_AUTH_TOKEN} // "";
if ($token ne "ls-the-right-token") {
    print "License activation failed: the token $token is not valid\n";
    exit 55;
}
my $health = '{"services": {"sts": "available", "sqs": "running", "ecs": "available", "kms": "disabled"}, "version": "2026.6.1"}';
my $xml = '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    . '<Arn>arn:aws:iam::000000000000:user/stand-in</Arn><UserId>A</UserId><Account>000000000000</Account>'
    . '</GetCallerIdentityResult></GetCallerIdentityResponse>';
my $server = IO::Socket::INET->new(LocalPort => 4566, Listen => 16, ReuseAddr => 1) or die "cannot listen: $!";
print "Ready.\n";
while (my $client = $server->accept) {
    my $line = <$client> // "";
    my $length = 0;
    while (defined(my $header = <$client>)) {
        last if $header =~ /^\r?\n$/;
        $length = $1 if $header =~ /^content-length:\s*(\d+)/i;
    }
    read($client, my $content, $length) if $length;
    my ($type, $body) = $line =~ m{/_localstack/health} ? ("application/json", $health) : ("text/xml", $xml);
    print $client "HTTP/1.1 200 OK\r\nContent-Type: $type\r\nContent-Length: " . length($body)
        . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}
