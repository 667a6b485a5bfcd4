/*
 * The table of cases of abdm_name_score: pairs that are one person's name and pairs that are
 * not, each with its reason, from public knowledge of how Indian names are written. Each pair is
 * asked in both directions and is a test of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "match/name.h"

typedef struct {
    const char *a;
    const char *b;
    const char *why;
} pair_t;

static const pair_t same[] = {
    {"Asha Kumari", "Asha Kumari", "the very same"},
    {"ASHA KUMARI", "asha kumari", "case"},
    {"  Asha   Kumari ", "Asha Kumari", "blanks"},
    {"Suresh Patel", "Patel Suresh", "surname first"},
    {"Patil Kiran Ramesh", "Kiran Ramesh Patil", "surname first, Maharashtra"},
    {"Reddy Venkata Ramana", "Venkata Ramana Reddy", "surname first, Andhra"},
    {"Patel, Suresh", "Suresh Patel", "comma"},
    /* initials */
    {"R. Krishnan", "Krishnan R", "initial before and after"},
    {"R. Krishnan", "Ramaswamy Krishnan", "initial for the father's name"},
    {"Krishnan R", "Ramaswamy Krishnan", "initial after, father's name before"},
    {"R Krishnan", "Krishnan", "initial left out"},
    {"Krishnan.R", "R.Krishnan", "dots without blanks"},
    {"A.P.J. Abdul Kalam", "APJ Abdul Kalam", "initials run together"},
    {"R.K. Narayan", "RK Narayan", "two initials together"},
    {"R K Narayan", "Rasipuram Krishnaswami Narayan", "two initials, Tamil"},
    {"S P Balasubrahmanyam", "Sripathi Panditaradhyula Balasubrahmanyam", "two initials, Telugu"},
    {"N T Rama Rao", "Nandamuri Taraka Rama Rao", "initials of house and given name"},
    {"Anil K", "Anil Kumar", "initial for the second name"},
    {"Suresh S", "Suresh", "initial left out at the end"},
    {"M. S. Swaminathan", "M S Swaminathan", "dots of initials"},
    {"V. Anand", "Viswanathan Anand", "initial V"},
    {"Karthik Ch", "Karthik Chidambaram", "initial of two letters"},
    /* titles and words of respect */
    {"Shri Ramesh Gupta", "Ramesh Gupta", "Shri"},
    {"Sri Ramesh Gupta", "Shri Ramesh Gupta", "Sri, Shri"},
    {"Smt. Sunita Devi", "Sunita Devi", "Smt"},
    {"Smt Sunita Devi", "Shrimati Sunita Devi", "Smt, Shrimati"},
    {"Dr. Meena Iyer", "Meena Iyer", "Dr"},
    {"Mr. Arun Kumar", "Arun Kumar", "Mr"},
    {"Ms Divya Nair", "Divya Nair", "Ms"},
    {"Kumari Anita", "Anita Kumari", "Kumari before and after"},
    {"Thiru Murugan", "Murugan", "Thiru"},
    {"Late Mohan Lal", "Mohan Lal", "Late"},
    {"Rameshbhai Patel", "Ramesh Patel", "bhai joined"},
    {"Ramesh Bhai Patel", "Rameshbhai Patel", "bhai apart and joined"},
    {"Jayaben Shah", "Jaya Shah", "ben joined"},
    {"Ilaben Mehta", "Ila Mehta", "ben after a short name"},
    {"Mohan ji", "Mohan", "ji"},
    {"Venkatesh Garu", "Venkatesh", "garu"},
    {"Adv. Pooja Malhotra", "Pooja Malhotra", "Adv"},
    {"Haji Abdul Karim", "Abdul Karim", "Haji"},
    /* second names, surnames and relations left out */
    {"Sunita Devi", "Sunita", "Devi left out"},
    {"Suresh Kumar", "Suresh", "Kumar left out"},
    {"Gurpreet Singh", "Gurpreet", "Singh left out"},
    {"Manjeet Kaur", "Manjit", "Kaur left out, ee"},
    {"Ganga Bai", "Ganga", "Bai left out"},
    {"Lakshmi Amma", "Lakshmi", "amma left out"},
    {"Sunita Sharma", "Sunita", "surname left out"},
    {"Sharma Sunita", "Sunita", "surname before, left out"},
    {"Anita Ramesh Sharma", "Anita Sharma", "husband's name in the middle"},
    {"Kiran Ramesh Patil", "Kiran Patil", "father's name in the middle"},
    {"Patil Kiran Ramesh", "Kiran Patil", "surname first, father's name left out"},
    {"Priya Suresh", "Priya", "father's name left out"},
    {"Sunita W/O Ramesh", "Sunita Ramesh", "W/O before the husband's name"},
    {"Suresh S/o Mahesh", "Suresh", "S/O and the father's name left out"},
    {"Deepa Kunnath Menon", "Deepa Menon", "house name"},
    {"Ramesh Kumar Yadav", "Ramesh Yadav", "Kumar in the middle left out"},
    {"R Suresh", "Suresh Kumar", "initial on one side, Kumar on the other"},
    /* spacing */
    {"Ram Kumar", "Ramkumar", "two words or one"},
    {"Jaya Shree", "Jayashree", "two words or one"},
    {"Krishna Murthy", "Krishnamoorthy", "two words or one, oo"},
    {"Shiv Kumar", "Shivakumar", "two words or one, short a"},
    {"Rama Krishna Rao", "Ramakrishnarao", "three words or one"},
    {"Sri Lakshmi", "Srilakshmi", "Sri that is part of the name"},
    {"Abdul Rahman", "Abdulrahman", "two words or one, Arabic"},
    {"Hari Prasad", "Hariprasad", "two words or one"},
    {"Zia ul Haq", "Ziaul Haque", "article joined"},
    {"D'Souza Maria", "Maria DSouza", "apostrophe"},
    /* doubled letters and vowels */
    {"Sunitha", "Sunita", "th"},
    {"Anita", "Anitha", "th, southern spelling"},
    {"Seeta", "Sita", "ee"},
    {"Geetha", "Gita", "ee and th"},
    {"Pooja", "Puja", "oo"},
    {"Aarti", "Arti", "aa"},
    {"Aarti", "Arati", "aa and short a"},
    {"Mallika", "Malika", "doubled l"},
    {"Vinnie", "Vini", "doubled n, ie"},
    {"Sheela", "Sheila", "ei"},
    {"Kavitha", "Kavita", "th"},
    {"Jagadeesh", "Jagdish", "short a and ee"},
    {"Sarah", "Sara", "h at the end"},
    {"Roopa", "Rupa", "oo"},
    /* variants of transliteration */
    {"Laxmi", "Lakshmi", "x for ksh"},
    {"Lekshmi", "Laxmi", "Kerala spelling"},
    {"Vidya", "Vidhya", "dh"},
    {"Chowdhury", "Choudhary", "au, ow"},
    {"Anil Chowdhury", "Anil Chaudhuri", "surname's spellings"},
    {"Choudhry Anil", "Anil Chaudhary", "surname's spellings and order"},
    {"Jayashree", "Jayasri", "shree, sri"},
    {"Vijay", "Wijay", "w, v"},
    {"Swati", "Svathi", "w, v and th"},
    {"Farooq", "Pharook", "ph, f and q, k"},
    {"Madhan", "Madan", "dh, d"},
    {"Akshay", "Akshai", "ay, ai"},
    {"Aziz", "Azij", "z, j"},
    {"Shobha", "Sobha", "sh, s"},
    {"Ganesh", "Ganes", "sh at the end"},
    {"Gauri", "Gowri", "au, ow"},
    {"Gouri", "Gauri", "ou, au"},
    {"Priya", "Pria", "iya"},
    {"Divya", "Diviya", "iya"},
    {"Murthy", "Moorthi", "oo, y"},
    {"Krishna", "Krushna", "ri, ru"},
    {"Mrunal", "Mrinal", "ri, ru"},
    {"Dnyaneshwar", "Gyaneshwar", "dny, gy"},
    {"Kamala", "Kamla", "short a"},
    {"Ramachandran", "Ramchandran", "short a"},
    {"Ramaswamy", "Ramasamy", "Tamil spelling"},
    {"Pazhani", "Palani", "zh, l"},
    {"Vyshnavi", "Vaishnavi", "Telugu y"},
    {"Bikash", "Vikas", "Bengali spelling"},
    {"Subramaniam", "Subramanian", "ending of one name"},
    {"Rajinder Singh", "Rajendra Singh", "Punjabi form"},
    {"Jyothi", "Jyoti", "th"},
    {"Anil Agarwal", "Anil Aggrawal", "surname's spellings"},
    {"Srinivas", "Shreenivas", "sri, shree inside"},
    {"Jnaneswari", "Gnaneshwari", "jn, gn"},
    {"Mohammed", "Mohd", "abbreviation"},
    {"Md Rafiq", "Mohammad Rafique", "abbreviation"},
    {"Muhammad Ali", "Mohd. Ali", "abbreviation"},
    {"Mohammed Rafi", "Rafi", "Mohammed left out"},
    {"Sk. Imran", "Sheikh Imran", "Sk"},
    {"Ayesha Begum", "Aisha Begam", "spellings"},
    {"Fathima Beevi", "Fatima Bibi", "spellings, Kerala"},
    {"Abdur Rehman", "Abdul Rahman", "sun letter"},
    {"Yousuf Khan", "Yusuf Khan", "spellings"},
    {"Zainab", "Jainab", "z, j"},
    {"Hussain Ahmed", "Husain Ahmad", "spellings"},
    {"Syed Imran", "Sayyad Imran", "spellings"},
    /* scripts */
    {"लक्ष्मी देवी", "Laxmi Devi", "Devanagari"},
    {"राम कुमार", "Ram Kumar", "Devanagari, a at the end is silent"},
    {"सुरेश सिंह", "Suresh Singh", "Devanagari, Singh"},
    {"वसंत पाटील", "Vasant Patil", "Devanagari, silent a after two consonants"},
    {"कृष्ण", "Krishna", "Devanagari, spoken a after two consonants"},
    {"श्रीमती सुनीता शर्मा", "Sunita Sharma", "Devanagari with a title"},
    {"अनिल चौधरी", "Anil Chaudhary", "Devanagari, surname"},
    {"मोहम्मद सलीम", "Mohd Salim", "Devanagari, Mohammed"},
    {"অনিতা চৌধুরী", "Anita Chowdhury", "Bengali"},
    {"ਗੁਰਪ੍ਰੀਤ ਸਿੰਘ", "Gurpreet Singh", "Gurmukhi"},
    {"રમેશભાઈ પટેલ", "Ramesh Patel", "Gujarati with bhai"},
    {"முருகன்", "Murugan", "Tamil, one sign for k and g"},
    {"கிருஷ்ணன்", "Krishnan", "Tamil, vowel inside kr"},
    {"லட்சுமி", "Lakshmi", "Tamil"},
    {"ராமசாமி", "Ramaswamy", "Tamil"},
    {"பழனி", "Pazhani", "Tamil, the letter that is written zh"},
    {"தமிழரசி", "Tamizharasi", "Tamil, zh within"},
    {"മലയാഴ", "Malayazha", "Malayalam, zh"},
    {"سدھیر", "Sudhir", "Urdu, an aspirate"},
    {"రమేష్ రెడ్డి", "Ramesh Reddy", "Telugu"},
    {"ರಮೇಶ್ ಗೌಡ", "Ramesh Gowda", "Kannada"},
    {"കൃഷ്ണൻ", "Krishnan", "Malayalam with chillu"},
    {"ସୁରେଶ ସାହୁ", "Suresh Sahoo", "Odia"},
    {"محمد علی", "Mohd Ali", "Urdu"},
    {"سلیم", "Saleem", "Urdu, long i written"},
    {"सुरेश", "સુરેશ", "two scripts"},
    {"Rāma Kumāra", "Rama Kumara", "marks of ISO 15919"},
};

static const pair_t other[] = {
    /* one letter apart */
    {"Krishnan", "Krishna", "n at the end: another name"},
    {"Ramesh", "Rakesh", "brothers"},
    {"Suresh", "Sureshan", "father and son"},
    {"Suresh", "Naresh", "brothers"},
    {"Suresh", "Sudesh", "brothers"},
    {"Mahesh", "Ramesh", "brothers"},
    {"Mukesh", "Rakesh", "brothers"},
    {"Dinesh", "Ganesh", "brothers"},
    {"Rajesh", "Rajeshwar", "longer name"},
    {"Venkatesh", "Venkatesan", "another ending"},
    {"Ganesh", "Ganesan", "another ending"},
    {"Srinivas", "Srinivasan", "another ending"},
    {"Narayan", "Narayanan", "another ending"},
    {"Mohan", "Mohanan", "another ending"},
    {"Raman", "Ramana", "another ending"},
    {"Rajan", "Raja", "another ending"},
    {"Viswanath", "Viswanathan", "another ending"},
    {"Ramachandra", "Ramachandran", "another ending"},
    {"Anil", "Sunil", "brothers"},
    {"Amit", "Sumit", "brothers"},
    {"Amit", "Ajit", "brothers"},
    {"Rohit", "Mohit", "brothers"},
    {"Ankit", "Ankita", "brother and sister"},
    {"Nitin", "Jatin", "brothers"},
    {"Ravi", "Rani", "one letter"},
    {"Sita", "Gita", "sisters"},
    {"Sita", "Rita", "sisters"},
    {"Sunita", "Anita", "sisters"},
    {"Kavita", "Savita", "sisters"},
    {"Sarita", "Savita", "sisters"},
    {"Babita", "Kavita", "sisters"},
    {"Reena", "Meena", "sisters"},
    {"Veena", "Beena", "sisters"},
    {"Leela", "Sheela", "sisters"},
    {"Usha", "Asha", "sisters"},
    {"Nisha", "Asha", "sisters"},
    {"Rekha", "Lekha", "sisters"},
    {"Radha", "Rama", "sisters"},
    {"Ananya", "Anya", "sisters"},
    {"Sanaya", "Sania", "sisters"},
    {"Sana", "Sara", "sisters"},
    {"Seema", "Shima", "different names that sound alike"},
    {"Zia", "Jiya", "a man's and a woman's name"},
    {"Raza", "Raja", "different names that sound alike"},
    {"Bhanu", "Banu", "different names that sound alike"},
    {"Amna", "Amana", "different names that sound alike"},
    {"Salim", "Salma", "man and woman"},
    {"Karim", "Karima", "man and woman"},
    {"Shahid", "Sajid", "brothers"},
    {"Rashid", "Arshid", "brothers"},
    {"Imran", "Irfan", "brothers"},
    {"Hasan", "Hussain", "brothers"},
    {"Lava", "Kusha", "twins"},
    {"Ram", "Shyam", "brothers"},
    {"Vijay", "Ajay", "brothers"},
    {"Vijay", "Sanjay", "brothers"},
    /* endings that mark the sex */
    {"Sunil", "Sunila", "man and woman"},
    {"Mohan", "Mohana", "man and woman"},
    {"Ram Kumar", "Ram Kumari", "man and woman"},
    {"Kumar", "Kumari", "man and woman"},
    {"Prakash", "Prakasha", "the ending may be another name"},
    {"Arun", "Aruna", "man and woman"},
    {"Kamal", "Kamala", "man and woman"},
    {"Kamal", "Kamla", "man and woman"},
    {"Vimal", "Vimla", "man and woman"},
    {"Nirmal", "Nirmala", "man and woman"},
    {"Vijay", "Vijaya", "man and woman"},
    {"Jay", "Jaya", "man and woman"},
    {"Ram", "Rama", "man and woman"},
    {"Raj", "Raji", "man and woman"},
    {"Akshay", "Akshaya", "man and woman"},
    {"Shyam", "Shyama", "man and woman"},
    {"Sushil", "Sushila", "man and woman"},
    {"Urmil", "Urmila", "man and woman"},
    {"Rajani", "Rajan", "woman and man"},
    {"Hari", "Hara", "another vowel at the end"},
    {"Gurpreet Singh", "Gurpreet Kaur", "brother and sister"},
    {"Kiranbhai Patel", "Kiranben Patel", "man and woman"},
    {"Shri Kiran Patel", "Smt Kiran Patel", "man and woman"},
    {"Jaya Bai", "Jaya Bhai", "woman and man"},
    {"Shri Gurpreet", "Gurpreet Kaur", "man and woman"},
    {"विजय", "विजया", "man and woman in Devanagari"},
    {"राम", "रमा", "man and woman in Devanagari"},
    /* same surname, same second name, same father */
    {"Anil Sharma", "Sunil Sharma", "brothers"},
    {"Anita Sharma", "Anita Verma", "other surname"},
    {"Ramesh Kumar", "Suresh Kumar", "brothers"},
    {"Suresh Kumar", "Suresh Babu", "other second name"},
    {"Sunita Devi", "Sunita Kumari", "mother-in-law and daughter-in-law"},
    {"Sunita Devi", "Sunita Sharma", "another second name"},
    {"Mohd Rafiq", "Mohd Shafiq", "brothers"},
    {"Mohammed Ali", "Mohammed", "what is common to many is no name"},
    {"Mohammed Salim", "Mohammed Kalim", "brothers"},
    {"Syed Ali Khan", "Syed Khan", "only words common to many agree"},
    {"Abdul Karim", "Abdul Rahim", "brothers"},
    {"Rahul Ramesh Patil", "Rohan Ramesh Patil", "brothers with the father's name"},
    {"Lakshmi Narayanan", "Lakshmi Priya", "half agrees"},
    {"Sri Lakshmi", "Sri Devi", "Sri alone agrees"},
    {"Vijaya Lakshmi", "Jaya Lakshmi", "sisters"},
    {"Ram Prasad", "Shiv Prasad", "brothers"},
    {"Amar Singh", "Amrik Singh", "brothers"},
    {"Harpreet Kaur", "Gurpreet Kaur", "sisters"},
    {"Priya Nair", "Divya Nair", "sisters"},
    {"Sharma", "Anita Sharma", "surname alone"},
    {"Patel", "Suresh Patel", "surname alone"},
    {"Kumar", "Suresh Kumar", "second name alone"},
    {"Devi", "Sunita Devi", "second name alone"},
    /* father and child */
    {"Ramesh Patil", "Kiran Ramesh Patil", "father and son"},
    {"Ramesh Patil", "Patil Kiran Ramesh", "father and son, surname first"},
    {"Ramesh", "Suresh Ramesh", "father and son"},
    {"Krishnan", "Anand Krishnan", "father and son"},
    {"Sunita", "Baby Sunita", "mother and child"},
    {"Sunita", "B/O Sunita", "mother and child"},
    {"Sunita Devi", "Baby of Sunita Devi", "mother and child"},
    {"B/O Sunita 1", "B/O Sunita 2", "twins"},
    {"Baby Sunita I", "Baby Sunita II", "twins"},
    {"Ravi Kumar Jr", "Ravi Kumar Sr", "father and son"},
    {"Ravi Kumar Jr", "Ravi Kumar", "father and son"},
    {"Suresh S/O Ramesh", "Suresh S/O Mahesh", "cousins"},
    {"Suresh S/O Ramesh", "Ramesh", "father and son"},
    {"Anita W/O Suresh", "Anita D/O Mahesh", "other relations"},
    /* initials */
    {"R Krishnan", "S Krishnan", "other initial"},
    {"R. Krishnan", "Ramaswamy", "only the initial agrees"},
    {"A Kumar", "Anil Kumar", "initial and second name: Ajay as well"},
    {"R Sharma", "Ramesh Sharma", "initial and surname: Rakesh as well"},
    {"K", "Krishnan", "initial alone"},
    {"R K", "Ram Kumar", "initials alone"},
    {"S Ramesh", "Suresh R", "each other's initial"},
    {"R Suresh", "Suresh Sharma", "initial against another surname"},
    {"Mohd A", "Mohd Ali", "no word that tells"},
    {"A Singh", "Amar Singh", "initial and second name"},
    {"R Anand", "Anand S", "other initial"},
    /* parts of words */
    {"Ram", "Ramkumar", "half a word"},
    {"Lakshmi", "Lakshmipriya", "half a word"},
    {"Jaya", "Jayalakshmi", "half a word"},
    {"Balaraman", "Bala", "half a word"},
    {"Siva", "Sivakumar", "half a word"},
    {"Hari", "Sri Hari Priya", "half a double name"},
    {"Sai", "Sai Krishna", "half a double name"},
    {"Lakshmi", "Lakshmi Priya", "half a double name"},
    /* scripts */
    {"कृष्णन", "Krishna", "another ending in Devanagari"},
    {"रमेश", "Rakesh", "brothers in Devanagari"},
    {"सिन्हा", "Singh", "Sinha is not Singh"},
    {"रमेश सिंह", "Ramesh Sinha", "Singh is not Sinha"},
    {"முருகன்", "Murugesan", "another name in Tamil"},
    {"سلیم", "Salma", "man and woman in Urdu"},
    {"سلمان", "Salim", "brothers in Urdu"},
    {"ਗੁਰਪ੍ਰੀਤ ਸਿੰਘ", "Gurpreet Kaur", "brother and sister in Gurmukhi"},
    {"അനിൽ", "Sunil", "brothers in Malayalam"},
    {"సునీత", "Anitha", "sisters in Telugu"},
    /* nothing to go by */
    {"", "Anita", "empty"},
    {"", "", "both empty"},
    {"-", "-", "no letters"},
    {"\xff\xfe", "\xff\xfe", "not UTF-8"},
    {"a b c d e f g h i j k l m", "a b c d e f g h i j k l m", "more than 12 words"},
    {"Unknown", "Sunita", "placeholder"},
};

enum { N_SAME = sizeof(same) / sizeof(same[0]), N_OTHER = sizeof(other) / sizeof(other[0]) };


static abdm_matcher_t *shared;


static int
open_shared(void **state)
{
    abdm_err_t err = abdm_matcher_new(&shared);

    (void) state;
    if (abdm_failed(err))
        print_error("%s\n", err.what);
    return abdm_failed(err) ? -1 : 0;
}


static int
close_shared(void **state)
{
    (void) state;
    abdm_matcher_free(shared);
    return 0;
}


static int
score(const char *a, const char *b)
{
    int there = abdm_name_score(shared, abdm_str(a), abdm_str(b));
    int back = abdm_name_score(shared, abdm_str(b), abdm_str(a));

    assert_true(there == back);
    assert_in_range(there, 0, ABDM_NAME_MAX);
    return there;
}


static void
are_one(void **state)
{
    const pair_t *p = *state;

    if (score(p->a, p->b) < ABDM_NAME_SAME)
        fail_msg("%d: %s / %s", score(p->a, p->b), p->a, p->b);
}


static void
are_two(void **state)
{
    const pair_t *p = *state;

    if (score(p->a, p->b) >= ABDM_NAME_SAME)
        fail_msg("%d: %s / %s", score(p->a, p->b), p->a, p->b);
}


static void
a_closer_name_scores_higher(void **state)
{
    (void) state;
    assert_true(score("Asha Devi", "Asha Devi") == ABDM_NAME_MAX);
    assert_true(score("Asha Devi", "Asha Devi") > score("Asha Devi", "Aasha Devi"));
    assert_true(score("Sunita", "Sunitha") > score("Shobha", "Sobha"));
    assert_true(score("Ramesh Patil", "Suresh Patil") < ABDM_NAME_SAME / 2);
}


static void
only_128_code_points_are_read(void **state)
{
    char a[400] = "Anita ", b[400] = "Anita ";

    (void) state;
    memset(a + 6, '.', 200);
    strcpy(a + 206, " Sharma");
    memset(b + 6, '.', 200);
    strcpy(b + 206, " Verma");
    assert_int_equal(score(a, b), ABDM_NAME_MAX);
}


static void
a_word_too_long_for_a_name_matches_nothing(void **state)
{
    char a[128];

    (void) state;
    memset(a, 'a', 41);
    a[41] = '\0';
    assert_int_equal(score(a, a), 0);
    for (int i = 0; i < 60; i += 2)
        memcpy(a + i, "xy", 3);
    assert_int_equal(score(a, a), 0);
}


/* Bytes at random, cut and mixed from the table's names: no crash, and the same both ways. */
static void
any_bytes_give_a_score(void **state)
{
    uint32_t seed = 7;

    (void) state;
    for (int round = 0; round < 20000; round++) {
        char text[2][96];

        for (int k = 0; k < 2; k++) {
            size_t len = 0;

            for (int part = 0; part < 3; part++) {
                const pair_t *p;

                seed = seed * 1664525u + 1013904223u;
                p = (seed >> 8 & 1) != 0 ? &same[(seed >> 9) % N_SAME]
                                         : &other[(seed >> 9) % N_OTHER];
                for (const char *s = p->a; *s != '\0' && len < 90; s++)
                    if ((seed >> 28) != 0 || s != p->a)
                        text[k][len++] = *s;
                text[k][len++] = (seed >> 24 & 3) == 0 ? '/' : ' ';
            }
            if ((seed >> 20 & 7) == 0)
                text[k][seed % len] = (char) (seed >> 5);
            text[k][len] = '\0';
        }
        score(text[0], text[1]);
    }
}


int
main(void)
{
    static char names[N_SAME + N_OTHER][256];
    static struct CMUnitTest tests[N_SAME + N_OTHER + 4];
    size_t n = 0;

    for (size_t i = 0; i < N_SAME + N_OTHER; i++, n++) {
        const pair_t *p = i < N_SAME ? &same[i] : &other[i - N_SAME];

        snprintf(names[n], sizeof(names[n]), "%s %s %s: %s", p->a, i < N_SAME ? "is" : "is not",
                 p->b, p->why);
        for (char *s = names[n]; *s != '\0'; s++)
            if ((unsigned char) *s >= 0xfe)
                *s = '?'; /* TAP is UTF-8 */
        tests[n] = (struct CMUnitTest){names[n], i < N_SAME ? are_one : are_two, NULL, NULL,
                                       (void *) (uintptr_t) p};
    }
    tests[n++] = (struct CMUnitTest) cmocka_unit_test(a_closer_name_scores_higher);
    tests[n++] = (struct CMUnitTest) cmocka_unit_test(only_128_code_points_are_read);
    tests[n++] = (struct CMUnitTest) cmocka_unit_test(a_word_too_long_for_a_name_matches_nothing);
    tests[n++] = (struct CMUnitTest) cmocka_unit_test(any_bytes_give_a_score);
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
