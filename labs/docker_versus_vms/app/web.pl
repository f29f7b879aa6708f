# A small web server that needs memory: NEED says how many MiB it fills before it listens.
# It answers any GET at port 8000 with what it sees of its surroundings.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

$| = 1;
$SIG{TERM} = sub { exit 0 };
my $need = $ENV{NEED} // 0;
print "filling $need MiB\n";
my $filled = "x" x ($need * 1024 * 1024);
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 16, ReuseAddr => 1) or die "cannot listen: $!\n";
print "listens on port 8000\n";
while (my $client = $server->accept) {
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/ }
    my ($kernel, $name) = (POSIX::uname())[2, 1];
    my $body = "process $$ of $name, user $>, kernel $kernel\n";
    print $client "HTTP/1.1 200 OK\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}
