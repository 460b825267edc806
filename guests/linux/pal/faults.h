/* Parts of the sub-command faults. */
#ifndef PAL_FAULTS_H
#define PAL_FAULTS_H

void faults_of_caller(void); /* faults_caller.c */
void faults_of_arguments(void);

#endif
