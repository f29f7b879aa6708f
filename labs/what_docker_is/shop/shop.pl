# A shop in one program. Which part of it a process plays, the environment says:
#
#   SERVICE  front, prices or stock
#   PRICES   where front asks for the price (host name, port 8000)
#   STOCK    where front asks what is left
#
# Every part answers any GET at port 8000 with JSON. `front` asks the two others and puts their answers together.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

$| = 1;
$SIG{TERM} = sub { print "SIGTERM received, goodbye\n"; exit 0 };
my $service = $ENV{SERVICE} // "";
my $host    = (POSIX::uname())[1];
my %play    = (
    prices => sub { qq("coffee": 12) },
    stock  => sub { qq("coffee": 7) },
    front  => sub { join ", ", map { qq("$_": ) . ask($_) } qw(prices stock) },
);
die "SERVICE must be front, prices or stock, not '$service'\n" unless $play{$service};

my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 16, ReuseAddr => 1) or die "cannot listen: $!\n";
print "$service listens on port 8000\n";
while (my $client = $server->accept) {
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/ }
    my $body = qq({"service": "$service", "host": "$host", ) . $play{$service}->() . "}\n";
    print $client "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " . length($body)
        . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}

# The JSON of another part, or an object with an error where it does not answer.
sub ask {
    my $name = $ENV{ uc shift } // "nowhere";
    my $peer = IO::Socket::INET->new(PeerAddr => $name, PeerPort => 8000, Timeout => 2)
        or return qq({"error": "$name does not answer"});
    print $peer "GET / HTTP/1.0\r\nHost: $name\r\n\r\n";
    my $answer = join "", <$peer>;
    $answer =~ s/.*?\r\n\r\n//s;
    chomp $answer;
    return $answer || qq({"error": "$name said nothing"});
}
