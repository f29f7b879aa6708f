# Answers with this container's name and a variable (/env/NAME), its role's credentials (/credentials), what a host says
# at port 8080 (/from/HOST), or its version (anything else; /slow after two seconds, /status/500 with that status). The
# version `broken` ends at once, `deaf` listens nowhere.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

$| = 1;
$SIG{CHLD} = "IGNORE";
$SIG{TERM} = sub { exit 0 };
my $version = $ENV{VERSION};
print "this is version $version\n";
exit 3 if $version eq "broken";
sleep 600 if $version eq "deaf";

my $server = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 64, ReuseAddr => 1) or die "cannot listen: $!";
while (1) {
    my $client = $server->accept or next;
    next if fork;
    my ($line, $path) = (scalar(<$client>) // "", "");
    $path = $1 if $line =~ m{^\S+ (\S+)};
    while (defined(my $header = <$client>)) { last if $header =~ /^\r?\n$/ }
    sleep 2 if $path eq "/slow";
    my $status = $path =~ m{^/status/(\d+)} ? "$1 Chosen" : "200 OK";
    my $said
        = $path =~ m{^/env/(\w+)}    ? $ENV{$1} // ""
        : $path eq "/credentials"    ? credentials()
        : $path =~ m{^/from/([\w.]+)} ? from($1)
        :                              $version;
    my $body = (POSIX::uname())[1] . " $said\n";
    print $client "HTTP/1.1 $status\r\nContent-Type: text/plain\r\nContent-Length: " . length($body)
        . "\r\nConnection: close\r\n\r\n$body";
    close $client;
    exit 0;
}

sub credentials {
    my $agent = IO::Socket::INET->new(PeerAddr => "169.254.170.2:80") or return "no way: $!";
    print $agent "GET $ENV{AWS_CONTAINER_CREDENTIALS_RELATIVE_URI} HTTP/1.0\r\nHost: 169.254.170.2\r\n\r\n";
    my $answer = join "", <$agent>;
    return $answer =~ s/.*\r\n\r\n//sr;
}

sub from {
    my $host = IO::Socket::INET->new(PeerAddr => shift, PeerPort => 8080, Timeout => 2) or return "no way: $!";
    print $host "GET / HTTP/1.0\r\nHost: x\r\n\r\n";
    my $answer = join "", <$host>;
    return $answer =~ s/.*\r\n\r\n//sr;
}
