package Hmis::Data;

# The hospital's books: patients, doctors, visits, papers, and the journal of visits. All of it is
# invented. The synthetic patients (UH2nnnnn) are computed from their number, so a load test may ask
# for any of them; only what is entered about them is kept.

use Mojo::Base -base, -signatures;
use utf8;

my %DOCTOR = (
    joshi  => { name => 'Dr. Meera Joshi',    regno => 'MH-2009-04417' },
    pillai => { name => 'Dr. Suresh Pillai',  regno => 'KL-2001-11820' },
    rao    => { name => 'Dr. Lakshmi Rao',    regno => 'TS-2014-20931' },
    sen    => { name => 'Dr. Debashish Sen',  regno => 'WB-1998-07765' },
);

my @PATIENT_FIELDS = qw(uhid first last sex dob phone village registered);
my @PATIENTS = (
    ['UH100231', 'Asha',   'Kumari', 'F', '14-05-1988', '9000000001', 'Rampur',     '03-02-2019'],
    ['UH100232', 'Ravi',   'Iyer',   'M', '02-11-1975', '9000000002', 'Kumbakonam', '21-07-2020'],
    ['UH100233', 'Farida', 'Begum',  'F', '23-01-1961', '9000000003', 'Malihabad',  '09-10-2018'],
    ['UH100234', 'Arjun',  'Kumari', 'M', '30-07-2015', '9000000001', 'Rampur',     '11-01-2021'],
);

# no, date, uhid, department, doctor, then the papers as [id, kind, title, time, type]
my @VISITS = (
    ['OPD-25-3107', '18-08-2025 09:15', 'UH100231', 'General Medicine', 'joshi',
        ['4101', 'OPD note',     'परामर्श पत्र',                '09:40', 'pdf'],
        ['4102', 'Prescription', 'Prescription, viral fever', '09:45', 'pdf']],
    ['IPD-25-0092', '02-12-2025 22:05', 'UH100231', 'Surgery', 'sen',
        ['4501', 'Discharge',    'Discharge summary, appendicectomy', '23:30', 'pdf'],
        ['4502', 'Bill',         'Final bill',                 '23:50', 'pdf'],
        ['4503', 'Scan',         'Ultrasound, abdomen',        '22:40', 'png']],
    ['OPD-26-0771', '05-03-2026 10:40', 'UH100231', 'General Medicine', 'joshi',
        ['5001', 'Prescription', 'औषध पर्ची',                   '10:55', 'pdf'],
        ['5002', 'Scan',         'Chest X-ray, PA view',       '11:30', 'png'],
        ['5003', 'Lab report',   'Complete blood count',       '16:20', 'json']],
    ['OPD-25-2950', '01-08-2025 11:00', 'UH100232', 'Cardiology', 'pillai',
        ['4011', 'OPD note',     'இதய சிகிச்சை குறிப்பு',          '11:20', 'pdf'],
        ['4012', 'Lab report',   'Lipid profile',              '15:05', 'pdf']],
    ['OPD-25-4410', '20-11-2025 10:05', 'UH100232', 'Cardiology', 'pillai',
        ['4411', 'Scan',         'Echocardiogram',             '10:50', 'jpg'],
        ['4412', 'Prescription', 'Prescription, follow-up',    '11:10', 'json']],
    ['OPD-26-0802', '07-03-2026 12:30', 'UH100232', 'Ophthalmology', 'rao',
        ['5011', 'Letter',       'Referral letter',            '12:50', 'pdf']],
    ['OPD-25-1203', '14-04-2025 09:30', 'UH100233', 'Endocrinology', 'rao',
        ['3801', 'Lab report',   'HbA1c',                      '14:00', 'json'],
        ['3802', 'Vitals chart', 'Blood sugar chart',          '09:50', 'jpg']],
    ['OPD-25-3990', '27-10-2025 09:50', 'UH100233', 'Endocrinology', 'rao',
        ['4301', 'Prescription', 'نسخہ',                        '10:05', 'pdf']],
    ['OPD-26-0655', '23-02-2026 10:10', 'UH100233', 'Vaccination clinic', 'sen',
        ['4901', 'Vaccination',  'Influenza vaccination card', '10:25', 'pdf']],
    ['OPD-25-0410', '06-02-2025 17:00', 'UH100234', 'Paediatrics', 'rao',
        ['3501', 'Vaccination',  'टीकाकरण कार्ड',                '17:20', 'png']],
    ['OPD-25-2204', '19-06-2025 16:30', 'UH100234', 'Paediatrics', 'rao',
        ['3901', 'Prescription', 'Prescription, cough',        '16:45', 'pdf']],
    ['OPD-26-0120', '12-01-2026 16:40', 'UH100234', 'Paediatrics', 'rao'],
    ['OPD-26-0815', '09-03-2026 11:05', 'UH100231', 'General Medicine', 'joshi'],
);

# What the newer screens keep in fields instead of papers, by visit.
my %ENTERED = (
    'OPD-26-0815' => {
        note => {
            id => 'N-815', time => '09-03-2026 11:25', complaints => ['तीन दिन से बुखार', 'Dry cough'],
            findings => [
                { name => 'Temperature', value => '100.4', unit => 'F' },
                { name => 'Blood pressure', value => '118/76', unit => 'mmHg' },
                { name => 'Chest', value => 'Clear', unit => '' }],
            drugs => [
                { name => 'Tab. Paracetamol 650 mg', sig => '1-0-1', days => 5, for => 'Fever' },
                { name => 'Syr. Dextromethorphan', sig => '5 ml at night', days => 5, for => 'Cough' }],
            review => '16-03-2026 11:00',
        },
        labs => [
            { id => 'L-2201', test => 'Complete blood count', time => '09-03-2026 15:10', remark => 'Mild anaemia', rows => [
                { name => 'Haemoglobin', value => '10.90', unit => 'g/dL', low => '12.0', high => '15.0', flag => 'L' },
                { name => 'Total leucocyte count', value => '7800', unit => '/uL', low => '4000', high => '11000' }] },
            { id => 'L-2202', test => 'Malaria antigen', time => '09-03-2026 15:30', remark => 'No malaria', rows => [
                { name => 'P. falciparum antigen', value => 'Negative' }] }],
    },
);

# Names of synthetic patients, one syllable for each digit of the number.
my @SYLLABLE = qw(ka ri mo su ve na pi tu le ja);

my %TYPE = (
    pdf => 'application/pdf', png => 'image/png', jpg => 'image/jpeg',
    json => 'application/fhir+json',
);

# What each book starts with; start_over() opens them anew.
has people => sub {
    my %people;
    for my $row (@PATIENTS) {
        my %patient = (abha => '', abha_address => '');
        @patient{@PATIENT_FIELDS} = @$row;
        $people{ $patient{uhid} } = \%patient;
    }
    return \%people;
};

has visits_by_no => sub ($self) {
    my %visit;
    for my $row (@VISITS) {
        my ($no, $date, $uhid, $department, $doctor, @papers) = @$row;
        $visit{$no} = _visit($no, $date, $uhid, $department, $DOCTOR{$doctor}, @papers);
    }
    return \%visit;
};

has numbers_by_uhid => sub ($self) {
    my %numbers;
    push @{ $numbers{ $_->{uhid} } }, $_->{no} for values %{ $self->visits_by_no };
    return \%numbers;
};

has papers_by_id => sub ($self) {
    my %paper;
    for my $visit (values %{ $self->visits_by_no }) {
        $paper{ $_->{id} } = [$_, $visit->{no}] for @{ $visit->{papers} };
    }
    return \%paper;
};

has journal => sub { [] };    # visit numbers; the entry's own number is its place, from 1

sub start_over ($self) {
    delete @$self{qw(people visits_by_no numbers_by_uhid papers_by_id journal)};
    return $self;
}

sub patient ($self, $uhid) {
    return $self->people->{$uhid} // _synthetic_patient($uhid);
}

sub patients ($self, %want) {
    my @found = map { $self->people->{$_} } sort keys %{ $self->people };
    push @found, $self->_synthetic_for(%want);
    @found = grep { $_->{phone} eq $want{phone} } @found if defined $want{phone};
    @found = grep { _has_abha($_, $want{abha}) } @found  if defined $want{abha};
    @found = grep { index(lc "$_->{first} $_->{last}", lc $want{name}) >= 0 } @found
        if defined $want{name};
    return @found;
}

# Enters a patient, or changes one who is there. Returns the patient.
sub enter_patient ($self, %fields) {
    my $uhid = $fields{uhid} || $self->_next_uhid;
    my $old  = $self->patient($uhid) // {
        first => '', last => '', sex => 'O', dob => '', phone => '', village => '',
        registered => '01-01-2026', abha => '', abha_address => '',
    };
    my %new = (%$old, map { ($_ => $fields{$_}) } grep { defined $fields{$_} } @PATIENT_FIELDS, qw(abha abha_address));
    $new{uhid} = $uhid;
    return $self->people->{$uhid} = \%new;
}

# Enters a visit of a patient, or changes one that is there; either way it comes to the journal.
# `kinds` names its papers, which are new then. Returns the visit, or nothing without such a patient.
sub enter_visit ($self, %fields) {
    my $no  = $fields{no} || sprintf 'OPD-T-%06d', 1 + @{ $self->journal };
    my $old = $self->visits_by_no->{$no};
    my $uhid = $old ? $old->{uhid} : $fields{uhid} // '';
    return if !$self->patient($uhid);
    my $visit = {
        %{ $old // _visit($no, '01-04-2026 10:00', $uhid, 'General Medicine', $DOCTOR{joshi}) },
        map { ($_ => $fields{$_}) } grep { defined $fields{$_} } qw(date department),
    };
    my $kinds = $fields{kinds} // ($old ? undef : ['Prescription']);
    $visit->{papers} = $self->_new_papers($visit, @$kinds) if $kinds;
    push @{ $self->numbers_by_uhid->{$uhid} }, $no if !$old;
    $self->visits_by_no->{$no} = $visit;
    push @{ $self->journal }, $no;
    return $self->_shown($visit);
}

sub _new_papers ($self, $visit, @kinds) {
    my $stem = join '', 'T', $visit->{no} =~ /(\w+)/g;
    my $day  = substr $visit->{date}, 0, 10;
    my @papers = map { _paper($day, "${stem}x$_", $kinds[$_], $kinds[$_], '11:00', 'pdf') } 0 .. $#kinds;
    $self->papers_by_id->{ $_->{id} } = [$_, $visit->{no}] for @papers;
    return \@papers;
}

# Entries of the journal behind number `after`, each with the visit as it is now.
sub changes ($self, $after, $limit) {
    my $journal = $self->journal;
    my $last    = $after + $limit < @$journal ? $after + $limit : @$journal;
    $last = $after if $last < $after;
    my @changes = map { +{ n => $_, visit => $self->visit($journal->[$_ - 1]) } } $after + 1 .. $last;
    return { changes => \@changes, last => $last, more => $last < @$journal ? \1 : \0 };
}

sub visits_of ($self, $uhid) {
    my @numbers = @{ $self->numbers_by_uhid->{$uhid} // [] };
    push @numbers, map { "OPD-S-$1-$_" } 1 .. 3 if $uhid =~ /\AUH2(\d{5})\z/;
    my @visits = map { $self->visit($_) } @numbers;
    @visits = sort { _sortable($b->{date}) cmp _sortable($a->{date}) } @visits;
    return @visits;
}

sub visit ($self, $no) {
    if ($no =~ /\AOPD-S-(\d{5})-([1-3])\z/) {
        return $self->_shown(_visit(
            $no, "0$2-03-2026 09:00", "UH2$1", 'General Medicine',
            $DOCTOR{joshi}, ["S$1$2", 'Prescription', "Prescription $2", '09:30', 'pdf']));
    }
    my $visit = $self->visits_by_no->{$no} or return;
    return $self->_shown($visit);
}

sub paper ($self, $id) {
    if ($id =~ /\AS(\d{5})([1-3])\z/) {
        my $visit = $self->visit("OPD-S-$1-$2");
        return { %{ $visit->{papers}[0] }, visit => $visit };
    }
    my ($paper, $no) = @{ $self->papers_by_id->{$id} // return };
    return { %$paper, visit => $self->visit($no) };
}

# A visit with its patient as the books have him now.
sub _shown ($self, $visit) {
    my %shown = (%$visit, patient => $self->patient($visit->{uhid}));
    delete $shown{uhid};
    return \%shown;
}

sub _next_uhid ($self) {
    my $n = 300_000;
    $n++ while $self->people->{"UH$n"};
    return "UH$n";
}

# The synthetic patient who may be meant, unless something was entered about that one.
sub _synthetic_for ($self, %want) {
    my ($digits) = ($want{phone} // '') =~ /\A98000(\d{5})\z/;
    return if !defined $digits || $self->people->{"UH2$digits"};
    return _synthetic_patient("UH2$digits");
}

sub _has_abha ($patient, $wanted) {
    return lc $patient->{abha_address} eq lc $wanted if $wanted =~ /@/;
    my ($own, $asked) = map { s/\D//gr } $patient->{abha}, $wanted;
    return $asked ne '' && $own eq $asked;
}

sub _visit ($no, $date, $uhid, $department, $doctor, @papers) {
    my $day = substr $date, 0, 10;
    return {
        no => $no, date => $date, department => $department,
        uhid => $uhid, doctor => $doctor,
        papers => [map { _paper($day, @$_) } @papers],
        %{ $ENTERED{$no} // {} },
    };
}

sub _paper ($day, $id, $kind, $title, $time, $form) {
    my $folder = $form eq 'json' ? 'export' : 'files';
    return {
        id => $id, kind => $kind, title => $title, date => "$day $time",
        file => "/$folder/$id.$form", type => $TYPE{$form},
    };
}

sub _synthetic_patient ($uhid) {
    my ($number) = $uhid =~ /\AUH2(\d{5})\z/ or return;
    my @syllable = @SYLLABLE[split //, $number];
    return {
        uhid => $uhid, first => ucfirst join('', @syllable[0 .. 2]), last => ucfirst join('', @syllable[3, 4]) . 'n',
        sex => $number % 2 ? 'M' : 'F', dob => '01-01-' . (1950 + $number % 60), phone => "98000$number",
        village => 'Nowhere', registered => '01-01-2026', abha => '', abha_address => '',
    };
}

sub _sortable ($date) {
    my ($d, $m, $y, $time) = $date =~ /\A(\d\d)-(\d\d)-(\d{4}) (.*)\z/;
    return "$y$m$d$time";
}

1;
