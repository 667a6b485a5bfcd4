package Certify::M2;

# The demonstrations of Milestone 2, by theme: id of the row => [steps].

use strict;
use warnings;

use Certify::M2::App     ();
use Certify::M2::Linking ();
use Certify::M2::Sharing ();

sub demonstrations {
    return (Certify::M2::Linking::demonstrations(), Certify::M2::Sharing::demonstrations(), Certify::M2::App::demonstrations());
}

1;
