package Test::Profiles;

# The independent profile checker (NRCeS ndhm.in 6.5.0) as tests use it: installed from npm once,
# into build/validator, and called with many files at a time, since its start is slow.

use strict;
use warnings;

use Exporter qw(import);
use Fcntl qw(:flock);
use File::Path qw(make_path remove_tree);
use IPC::Open3 qw(open3);

our @EXPORT_OK = qw(checker_missing check_profiles run);

# Status and all output of a command.
sub run {
    my (@command) = @_;
    my $pid = open3(my $in, my $out, undef, @command);
    close $in or die "$command[0]: $!\n";
    my $output = do { local $/ = undef; <$out> };
    waitpid $pid, 0;
    return ($?, $output // q{});
}

sub have {
    my ($program) = @_;
    return scalar grep { -x "$_/$program" } split /:/, $ENV{PATH};
}

# Why the checker cannot be used, or nothing. Installed into a directory beside its own first, so
# that half an installation is never taken for a whole one, and by one test while others wait.
sub checker_missing {
    my ($root) = @_;
    my $installer = "$root/../shared/fhir/validator/install.sh";
    my $validator = "$root/build/validator";
    return 'node is not installed' if !have('node');
    return if -e "$validator/val_nrces.mjs";
    return 'the profile checker is not here' if !-e $installer;
    return 'npm is not installed'            if !have('npm');
    make_path("$root/build");
    open my $lock, '>', "$validator.lock" or return "$validator.lock: $!";
    flock $lock, LOCK_EX or return "$validator.lock: $!";
    my $fault = install($installer, $validator);
    close $lock or return "$validator.lock: $!";
    return $fault;
}

sub install {
    my ($installer, $validator) = @_;
    return if -e "$validator/val_nrces.mjs";
    remove_tree("$validator.new");
    my ($status) = run('timeout', '180', 'sh', $installer, "$validator.new");
    if ($status != 0 || !-e "$validator.new/val_nrces.mjs") {
        return 'npm cannot install the checker';
    }
    return rename("$validator.new", $validator) ? undef : "$validator: $!";
}

# Status, output and how many of the files pass --strict.
sub check_profiles {
    my ($root, @files) = @_;
    my ($status, $output) =
        run('node', "$root/build/validator/val_nrces.mjs", '--strict', @files);
    return ($status, $output, scalar(() = $output =~ /^PASS/mg));
}

1;
