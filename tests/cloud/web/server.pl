# Answers every request with this container's name and the path asked for. Perl is in the base image.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

my $name = (POSIX::uname())[1];
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 16, ReuseAddr => 1) or die "cannot listen: $!";
while (my $client = $server->accept) {
    my ($line, $path) = (scalar(<$client>) // "", "");
    $path = $1 if $line =~ m{^\S+ (\S+)};
    while (defined(my $header = <$client>)) { last if $header =~ /^\r?\n$/ }
    my $body = "$name $path\n";
    print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " . length($body)
        . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}
